"""fMoW-Sentinel: images of Sentinel-2 at the places of fMoW, all 13 bands (see `fmow`).

Cong et al. 2022: SatMAE: Pre-training Transformers for Temporal and Multi-Spectral Satellite Imagery, NeurIPS
(doi 10.25740/vg497cb6002). The release holds `fmow-sentinel/<split>/<category>/<category>_<location>/
<category>_<location>_<image>.tif` and the lists `train.csv`, `val.csv` and `test_gt.csv`, whose rows are the images
that could be made. Bands are in the order of their wavelengths. Places differ in size: images are interpolated to
96 x 96 pixels, SatMAE's input, for a set has images of one size, so that the resolution is nominal.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jepa_core.datasets.files import Files, open_files
from jepa_core.datasets.fmow import CATEGORIES, DATES_NOTE, SPLIT_FOLDERS, labels_of
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet, pixels_note
from jepa_core.datasets.rasters import SENTINEL2_L1C, decode_bands
from jepa_core.datasets.reading import Images, reader_of
from jepa_core.fingerprint import fingerprint

_NAME = "fmow-sentinel"

SIDE = 96
"""Height and width that images are interpolated to, pixels."""

SOURCE = (
    "fMoW-Sentinel (Cong et al. 2022, doi 10.25740/vg497cb6002), places: Functional Map of the World Challenge Public "
    "License, images: contains modified Copernicus Sentinel data"
)

_NOTES = (
    f"images are interpolated to {SIDE} x {SIDE} pixels whatever their shape",
    "the splits are the set's own",
    DATES_NOTE,
    pixels_note(_NAME),
)


@dataclass(frozen=True)
class _Rasters:
    """The images, a row each."""

    files: Files
    names: tuple[str, ...]

    def read(self, row: int) -> np.ndarray:
        data = self.files.read(self.names[row])
        return decode_bands(data, self.described(row), SENTINEL2_L1C, SENTINEL2_L1C.band_names, SIDE)

    def described(self, row: int) -> str:
        return self.files.described(self.names[row])


def open_fmow_sentinel(root: Path) -> LabelledSet:
    """The set in a folder.

    Args:
        root: folder of the three lists, above `fmow-sentinel`.

    Raises:
        DatasetError: lists or images are missing, or a category is unknown.
    """
    table = pd.concat([_read_list(root, folder) for folder in SPLIT_FOLDERS], ignore_index=True)
    unknown = sorted(set(table["category"]) - set(CATEGORIES))
    if unknown:
        raise DatasetError(f"the lists in {root} name {unknown[0]!r}, which is no category of fMoW")
    images = root / "fmow-sentinel"
    files = open_files(images, (".tif",))
    table = table.sort_values("id", ignore_index=True)
    names = tuple(table["file"])
    there = set(files.names)
    missing = [name for name in names if name not in there]
    if missing:
        raise DatasetError(
            f"{len(missing)} of the {len(names)} images of fMoW-Sentinel are missing in {images}, {missing[0]} first: "
            "unpack its archive again"
        )
    ids, splits, categories = (table[column].tolist() for column in ("id", "split", "category"))
    rasters = _Rasters(files, names)
    return LabelledSet(
        name=_NAME,
        version=fingerprint([_NAME, ids, splits, categories]),
        sensors=(SENTINEL2_L1C,),
        classes=CATEGORIES,
        multi_label=False,
        ids=np.array(ids),
        labels=labels_of(categories),
        splits=np.array(splits),
        read=reader_of(_NAME, [Images(SENTINEL2_L1C, SIDE, rasters.read, rasters.described)]),
        source=SOURCE,
        notes=_NOTES,
    )


def _read_list(root: Path, folder: str) -> pd.DataFrame:
    """Id, split, category and file of each image of a part."""
    path = root / f"{folder}.csv"
    if not path.is_file():
        raise DatasetError(f"{path} is missing: put the lists of fMoW-Sentinel above its folder of images")
    columns = ["category", "location_id", "image_id"]
    try:
        table = pd.read_csv(path, usecols=columns, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is no list of fMoW-Sentinel: {error}") from error
    place = table["category"] + "_" + table["location_id"]
    image = place + "_" + table["image_id"]
    return pd.DataFrame(
        {
            # Numbers of places begin anew in each part.
            "id": folder + "/" + image,
            "split": SPLIT_FOLDERS[folder],
            "category": table["category"],
            "file": folder + "/" + table["category"] + "/" + place + "/" + image + ".tif",
        }
    )
