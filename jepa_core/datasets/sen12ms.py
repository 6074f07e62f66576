"""SEN12MS: 180,662 pairs of Sentinel-1 and Sentinel-2 (level 1C) images, 256 x 256 pixels of 10 m, all seasons.

Schmitt, Hughes, Qiu, Zhu 2019: SEN12MS - A Curated Dataset of Georeferenced Multi-Spectral Sentinel-1/2 Imagery for
Deep Learning and Data Fusion, ISPRS Annals IV-2/W7. CC BY 4.0 (doi 10.14459/2019mp1474000). Files are named
`<season>_<s1, s2 or lc>_<scene>_p<patch>.tif`, e.g. `ROIs1158_spring/s1_1/ROIs1158_spring_s1_1_p30.tif`, and are found
by their names, wherever they lie.

One pair, `ROIs1868_summer_146_p202`, has a damaged Sentinel-1 image and is left out, as in the authors' own lists.
Splits by whole scenes: the authors' hold-out scenes are the test part, the scenes that their toolbox validates on the
validation part. Labels: `sen12ms_labels`.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from jepa_core.datasets.files import Files, open_files
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet, pixels_note
from jepa_core.datasets.rasters import SENTINEL2_L1C, decode_bands
from jepa_core.datasets.reading import Images, reader_of
from jepa_core.datasets.sen12ms_labels import CLASSES, single_labels
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import SENTINEL1, Sensor

_NAME = "sen12ms"

SIDE = 256
"""Height and width, pixels."""

PAIRS = 180_662
"""Pairs of the published set, the damaged one among them."""

_DAMAGED = "ROIs1868_summer_146_p202"

# From `SEN12MS_holdOutScenes.txt` and `ValidationScenes.txt` of the authors' toolbox.
_SCENES = {
    "test": {
        "ROIs1158_spring": (15, 17, 63, 97, 124, 146),
        "ROIs1868_summer": (15, 19, 43, 72, 79, 104, 131),
        "ROIs1970_fall": (30, 35, 39, 47, 61, 120, 141, 144),
        "ROIs2017_winter": (32, 64, 107, 135, 146),
    },
    "val": {
        "ROIs1158_spring": (44, 45, 77, 112, 113, 117),
        "ROIs1868_summer": (26, 36, 55, 73, 89, 113),
        "ROIs1970_fall": (1, 3, 14, 20, 57, 62, 93, 130, 142),
        "ROIs2017_winter": (69, 77, 103, 144),
    },
}

SPLIT_OF_SCENE = {
    f"{season}_{scene}": split
    for split, seasons in _SCENES.items()
    for season, scenes in seasons.items()
    for scene in scenes
}
"""Part of the scenes that are not in `train`."""

SOURCE = "SEN12MS (Schmitt et al. 2019, doi 10.14459/2019mp1474000), CC BY 4.0"

_FILE = re.compile(r"(?P<season>ROIs\d+_[a-z]+)_(?P<kind>s1|s2|lc)_(?P<scene>\d+)_(?P<patch>p\d+)")


@dataclass(frozen=True)
class _Rasters:
    """The files of one sensor, a row each."""

    files: Files
    sensor: Sensor
    names: tuple[str, ...]

    def read(self, row: int) -> np.ndarray:
        data = self.files.read(self.names[row])
        # Bands in the files are in the sensor's own order.
        return decode_bands(data, self.described(row), self.sensor, self.sensor.band_names)

    def described(self, row: int) -> str:
        return self.files.described(self.names[row])


def open_sen12ms(root: Path, pairs: int = PAIRS) -> LabelledSet:
    """The set in a folder.

    Args:
        root: folder above the seasons' folders, with `IGBP_probability_labels.pkl` of the authors' toolbox in it;
            without that file all land-cover rasters are read, hours for the whole set.
        pairs: how many there are.

    Raises:
        DatasetError: files are missing or broken.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder: unpack the archives of SEN12MS and give the folder they are in")
    files = open_files(root, (".tif",))
    found = _by_kind(files)
    ids = sorted(found["s2"])
    for kind in ("s1", "s2", "lc"):
        # The land cover counts as missing even where labels come from the list: the unpacking was not finished.
        missing = sorted((found["s1"].keys() | found["s2"].keys()) - found[kind].keys())
        if missing:
            raise DatasetError(
                f"{len(missing)} {kind} images of SEN12MS are missing under {root}, that of {missing[0]} first: "
                "unpack the archives again"
            )
    if len(ids) != pairs:
        raise DatasetError(f"{root} holds {len(ids)} pairs, SEN12MS has {pairs}: unpack the archives of all seasons")
    ids = [name for name in ids if name != _DAMAGED]
    numbers, note = single_labels(root, files, {name: found["lc"][name] for name in ids})
    splits = np.array([SPLIT_OF_SCENE.get(name.rsplit("_", 1)[0], "train") for name in ids], dtype="U5")
    sensors = []
    for sensor, kind in ((SENTINEL1, "s1"), (SENTINEL2_L1C, "s2")):
        rasters = _Rasters(files, sensor, tuple(found[kind][name] for name in ids))
        sensors.append(Images(sensor, SIDE, rasters.read, rasters.described))
    return LabelledSet(
        name=_NAME,
        version=fingerprint([_NAME, ids, numbers.tolist(), splits.tolist()]),
        sensors=(SENTINEL1, SENTINEL2_L1C),
        classes=CLASSES,
        multi_label=False,
        ids=np.array(ids),
        labels=numbers[:, None] == np.arange(len(CLASSES)),
        splits=splits,
        read=reader_of(_NAME, sensors),
        source=SOURCE,
        notes=(
            note,
            "test and val are the hold-out and validation scenes of the authors' toolbox",
            pixels_note(_NAME),
        ),
    )


def _by_kind(files: Files) -> dict[str, dict[str, str]]:
    """File of each pair's image, by kind and by the pair's id, e.g. `ROIs1158_spring_1_p30`."""
    found: dict[str, dict[str, str]] = {"s1": {}, "s2": {}, "lc": {}}
    for name in files.names:
        match = _FILE.fullmatch(PurePosixPath(name).stem)
        if match:
            found[match["kind"]][f"{match['season']}_{match['scene']}_{match['patch']}"] = name
    return found
