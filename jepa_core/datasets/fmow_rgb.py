"""fMoW-RGB: pictures of very high resolution, each with the box of the place that it is labelled by (see `fmow`).

The release holds `<train, val or test_gt>/<category>/<category>_<n>/<category>_<n>_<m>_rgb.jpg` and a JSON file of the
same name beside each. Rows are the 62 categories; `false_detection` is none and is left out, as are pictures without a
category folder (the release's `test` and `seq`). A row is its box cut out and brought to 224 x 224 pixels, for a set
has images of one size: shapes are squeezed, and the resolution is nominal.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from jepa_core.datasets.files import Files, open_files
from jepa_core.datasets.fmow import CATEGORIES, DATES_NOTE, SPLIT_FOLDERS, labels_of
from jepa_core.datasets.jpegs import decode_rgb, rgb_sensor
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet, pixels_note
from jepa_core.datasets.reading import Images, reader_of
from jepa_core.fingerprint import fingerprint

_NAME = "fmow-rgb"

SIDE = 224
"""Height and width that boxes are brought to, pixels."""

SENSOR = rgb_sensor(resolution_m=0.5)

SOURCE = "fMoW-RGB (Christie et al. 2018, CVPR), Functional Map of the World Challenge Public License"

_NOT_A_CATEGORY = "false_detection"

_NOTES = (
    f"each row is the first box of its picture, brought to {SIDE} x {SIDE} pixels whatever its shape",
    "pictures without a category and those of false_detection are left out; how many there should be is not checked",
    DATES_NOTE,
    pixels_note(_NAME),
)


@dataclass(frozen=True)
class _Pictures:
    """The pictures, a row each."""

    files: Files
    names: tuple[str, ...]

    def read(self, row: int) -> np.ndarray:
        described = self.described(row)
        pixels = decode_rgb(self.files.read(self.names[row]), described)
        box = self._box(row, width=pixels.shape[2], height=pixels.shape[1])
        picture = Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1)))
        resized = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        return np.moveaxis(np.asarray(resized), -1, 0)

    def described(self, row: int) -> str:
        return self.files.described(self.names[row])

    def _box(self, row: int, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge of the row's box within its picture, pixels."""
        name = self.names[row].removesuffix(".jpg") + ".json"
        try:
            boxes = json.load(io.BytesIO(self.files.read(name)))["bounding_boxes"]
            x, y, wide, high = (boxes[0] if isinstance(boxes, list) else boxes)["box"]
            left, upper = max(0.0, float(x)), max(0.0, float(y))
            right, lower = min(float(width), float(x) + float(wide)), min(float(height), float(y) + float(high))
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise DatasetError(f"{self.files.described(name)} holds no bounding box ({error}): get it again") from error
        if right - left < 1 or lower - upper < 1:
            raise DatasetError(f"the bounding box of {self.files.described(name)} lies outside its picture")
        return left, upper, right, lower


def open_fmow_rgb(root: Path) -> LabelledSet:
    """The set in a folder; boxes are read with their pictures.

    Args:
        root: folder above `train`, `val` and `test_gt`; a part that is not there is none of the set.

    Raises:
        DatasetError: there are no pictures, or a category is unknown.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder: give the folder above train and val of fMoW-RGB")
    files = open_files(root, ("_rgb.jpg",))
    rows = sorted(_rows(files))
    if not rows:
        raise DatasetError(f"{root} holds no picture <split>/<category>/<category>_<n>/..._rgb.jpg: get fMoW-RGB again")
    ids, splits, categories, names = ([row[i] for row in rows] for i in range(4))
    pictures = _Pictures(files, tuple(names))
    absent = [folder for folder, split in SPLIT_FOLDERS.items() if split not in splits]
    return LabelledSet(
        name=_NAME,
        version=fingerprint([_NAME, ids, splits, categories]),
        sensors=(SENSOR,),
        classes=CATEGORIES,
        multi_label=False,
        ids=np.array(ids),
        labels=labels_of(categories),
        splits=np.array(splits),
        read=reader_of(_NAME, [Images(SENSOR, SIDE, pictures.read, pictures.described)]),
        source=SOURCE,
        notes=(*_NOTES, *(f"there is no folder {folder}" for folder in absent)),
    )


def _rows(files: Files) -> list[tuple[str, str, str, str]]:
    """Id, split, category and file of each picture."""
    rows = []
    for name in files.names:
        path = PurePosixPath(name)
        if len(path.parts) < 4 or path.parts[-4] not in SPLIT_FOLDERS or path.parts[-3] == _NOT_A_CATEGORY:
            continue
        folder, category = path.parts[-4:-2]
        if category not in CATEGORIES:
            raise DatasetError(f"{files.described(name)} lies in {category!r}, which is no category of fMoW")
        # Numbers of places begin anew in each part.
        rows.append((f"{folder}/{path.stem.removesuffix('_rgb')}", SPLIT_FOLDERS[folder], category, name))
    return rows
