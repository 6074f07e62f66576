"""Patches of BigEarthNet as users unpack them, both versions: a folder a patch, a GeoTIFF a band."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from jepa_core.archive.nomenclature import BEN19
from jepa_core.datasets.files import walk
from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.datasets.reading import Images
from jepa_core.sensors import Sensor

SIDE = 120
"""Height and width at 10 m, pixels."""

_PATCH = re.compile(r"S[12][A-D]_\w+_\d+_\d+")


@dataclass(frozen=True)
class Patches:
    """Folders of one sensor's patches, in the order of a set's rows."""

    sensor: Sensor
    """The sensor."""

    folders: tuple[Path, ...]
    """A folder a row; the patch bears its name."""

    def read(self, row: int) -> np.ndarray:
        """Pixels (bands, 120, 120); bands of 20 m and 60 m are interpolated bilinearly.

        Raises:
            DatasetError: a band is missing, damaged or of another size.
        """
        pixels = np.empty((len(self.sensor.bands), SIDE, SIDE), dtype=self.sensor.dtype)
        for i, band in enumerate(self.sensor.bands):
            path = self.folders[row] / f"{self.folders[row].name}_{band.name}.tif"
            side = round(SIDE * 10 / band.resolution_m)
            try:
                with rasterio.open(path) as file:
                    if file.shape != (side, side):
                        raise DatasetError(f"{path} is of {file.shape} pixels, not of {(side, side)}: get it again")
                    # A band at 10 m already has this size and is taken as it is.
                    pixels[i] = file.read(1, out_shape=(SIDE, SIDE), resampling=Resampling.bilinear)
            except RasterioError as error:
                raise DatasetError(f"{path} cannot be read as a raster ({error}): get it again") from error
        return pixels

    def images(self) -> Images:
        """What a reader is made of."""
        return Images(self.sensor, SIDE, self.read, lambda row: str(self.folders[row]))


def find_patches(name: str, root: Path, sensors: Sequence[tuple[Sensor, Sequence[str]]]) -> tuple[Patches, ...]:
    """Folders of the patches of a set, wherever they lie below a root.

    Args:
        name: of the set, for messages.
        root: folder that the archives were unpacked to.
        sensors: each with the names of its patches, in the order of the rows.

    Raises:
        DatasetError: the root is no folder, or patches are missing.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder: unpack the archives of {name} and give the folder they are in")
    wanted = {patch for _, patches in sensors for patch in patches}
    found = _folders(root, wanted)
    for sensor, patches in sensors:
        missing = [patch for patch in patches if patch not in found]
        if missing:
            raise DatasetError(
                f"{len(missing)} of the {len(patches)} {sensor.name} patches of {name} are missing under {root}, "
                f"{missing[0]} first: unpack the whole archive of {sensor.name} there"
            )
    return tuple(Patches(sensor, tuple(found[patch] for patch in patches)) for sensor, patches in sensors)


def ben19_labels(names: Sequence[Collection[str]]) -> np.ndarray:
    """Booleans (rows, 19) of each row's class names."""
    return np.array([[label in row for label in BEN19] for row in names], dtype=bool).reshape(len(names), len(BEN19))


def _folders(root: Path, wanted: Collection[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder, inner, _ in walk(root):
        for name in inner:
            if name in wanted:
                found.setdefault(name, folder / name)
        # Half a million patches that are not wanted are not entered.
        inner[:] = sorted(name for name in inner if not _PATCH.fullmatch(name))
    return found
