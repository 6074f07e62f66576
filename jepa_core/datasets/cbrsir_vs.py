"""CBRSIR_VS: 26,901 pairs of an optical picture (256 x 256, 1 m) and a radar image (64 x 64, 10 m), ten classes.

Sun et al. 2022 (MsEspH). Neither the layout of its files nor names of classes nor a split is published where it could
be found; what is read here is the plainest layout, `<optical>/<class>/<name>.<ending>` and `<radar>/<class>/<name>.
<ending>`: of the root's two folders the radar one has `sar` in its name, and a pair bears one name in both. The
classes are the folders, sorted. The split is ours, 70/10/20 in each class.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from jepa_core.datasets.files import Files, open_files
from jepa_core.datasets.jpegs import byte_band, decode_rgb, rgb_sensor
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet
from jepa_core.datasets.reading import Images, reader_of
from jepa_core.datasets.splitting import stratified_splits
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

_NAME = "cbrsir-vs"

OPTICAL = rgb_sensor(resolution_m=1.0)

SAR = Sensor("sar", "sar", bands=(byte_band("intensity", 10.0),), nodata=None, dtype="uint8")

_SIDES = {OPTICAL.name: 256, SAR.name: 64}

SPLIT_SEED = 20220101
"""Decides which pair is in which part."""

SOURCE = "CBRSIR_VS (Sun et al. 2022), licence not found"


@dataclass(frozen=True)
class Expected:
    """What the set is held against."""

    pairs: int
    """Number of pairs."""

    classes: int
    """Number of class folders."""


PUBLISHED = Expected(pairs=26_901, classes=10)

_NOTES = (
    f"the split is ours (70/10/20 in each class, seed {SPLIT_SEED}): none is published",
    "names of the classes, layout of the files and that radar is 8-bit intensity are unverified",
)


@dataclass(frozen=True)
class _Side:
    """The files of one sensor, a row each."""

    files: Files
    names: tuple[str, ...]
    decode: Callable[[bytes, str], np.ndarray]

    def read(self, row: int) -> np.ndarray:
        return self.decode(self.files.read(self.names[row]), self.described(row))

    def described(self, row: int) -> str:
        return self.files.described(self.names[row])


def open_cbrsir_vs(root: Path, expected: Expected = PUBLISHED) -> LabelledSet:
    """The set in a folder.

    Args:
        root: folder above the optical and the radar folder.
        expected: numbers of pairs and classes.

    Raises:
        DatasetError: folders, classes or partners are missing.
    """
    optical, radar = (open_files(folder, (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")) for folder in _two(root))
    found = [{_class_and_name(name): name for name in files.names} for files in (optical, radar)]
    single = sorted(found[0].keys() ^ found[1].keys())
    if single:
        raise DatasetError(f"{len(single)} images in {root} have no partner, {'/'.join(single[0])} first")
    classes = tuple(sorted({of for of, _ in found[0]}))
    if (len(found[0]), len(classes)) != (expected.pairs, expected.classes):
        raise DatasetError(
            f"{root} holds {len(found[0])} pairs of {len(classes)} classes, CBRSIR_VS has {expected.pairs} of "
            f"{expected.classes}: get it again"
        )
    keys = sorted(found[0])
    ids, numbers = ["/".join(key) for key in keys], np.array([classes.index(of) for of, _ in keys])
    splits = stratified_splits(numbers, SPLIT_SEED)
    sides = (
        (OPTICAL, _Side(optical, tuple(found[0][key] for key in keys), decode_rgb)),
        (SAR, _Side(radar, tuple(found[1][key] for key in keys), _decode_intensity)),
    )
    sizes = [[side.files.size(name) for name in side.names] for _, side in sides]
    images = [Images(sensor, _SIDES[sensor.name], side.read, side.described) for sensor, side in sides]
    return LabelledSet(
        name=_NAME,
        version=fingerprint([_NAME, ids, sizes, splits.tolist()]),
        sensors=(OPTICAL, SAR),
        classes=classes,
        multi_label=False,
        ids=np.array(ids),
        labels=numbers[:, None] == np.arange(len(classes)),
        splits=splits,
        read=reader_of(_NAME, images),
        source=SOURCE,
        notes=_NOTES,
    )


def _two(root: Path) -> tuple[Path, Path]:
    """The optical and the radar folder."""
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder: give the folder above the optical and the radar folder of CBRSIR_VS")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    radar = [path for path in folders if "sar" in path.name.lower()]
    if len(folders) != 2 or len(radar) != 1:
        names = ", ".join(path.name for path in folders) or "none"
        raise DatasetError(f"{root} should hold two folders, one with 'sar' in its name; there are: {names}")
    optical = folders[1 - folders.index(radar[0])]
    return optical, radar[0]


def _class_and_name(file: str) -> tuple[str, str]:
    path = PurePosixPath(file)
    return path.parent.name, path.stem


def _decode_intensity(data: bytes, described: str) -> np.ndarray:
    """Pixels (1, y, x) of a grey picture; of one that is grey in three channels, the first."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.mode not in ("L", "RGB"):
                raise DatasetError(f"{described} is of mode {picture.mode}, not 8-bit intensity")
            return np.asarray(picture.getchannel(0))[None]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{described} is no readable picture ({error}): get the file again") from error
