"""Labels of SEN12MS: one of ten classes an image, that of the largest share of its ground.

Shares are of the 17 IGBP classes, merged to ten as Schmitt and Wu 2021 do (Remote Sensing Image Classification with the
SEN12MS Dataset, ISPRS Annals V-2-2021); of equal shares the first class is taken. They come from the authors'
`IGBP_probability_labels.pkl`, or are counted in the land-cover rasters, whose first band holds the IGBP class.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from jepa_core.archive.inert_pickle import read_records
from jepa_core.datasets.files import Files
from jepa_core.datasets.labelled_set import DatasetError

_IGBP_CLASSES = 17

_MERGED: Mapping[str, tuple[int, ...]] = {
    "Forest": (1, 2, 3, 4, 5),
    "Shrubland": (6, 7),
    "Savanna": (8, 9),
    "Grassland": (10,),
    "Wetlands": (11,),
    "Croplands": (12, 14),
    "Urban/Built-up": (13,),
    "Snow/Ice": (15,),
    "Barren": (16,),
    "Water": (17,),
}
"""IGBP classes, numbered from 1, that each of the ten is made of."""

CLASSES = tuple(_MERGED)

LIST = "IGBP_probability_labels.pkl"


def single_labels(root: Path, files: Files, land_cover: Mapping[str, str]) -> tuple[np.ndarray, str]:
    """Position of each image's class in `CLASSES`, and where the labels are from.

    Args:
        root: folder in which the authors' list may lie.
        files: the set's files.
        land_cover: each pair's raster of land cover, e.g. `...lc_1_p30.tif` of `ROIs1158_spring_1_p30`.

    Raises:
        DatasetError: the list or a raster is broken, or the list lacks a pair.
    """
    path = root / LIST
    if path.exists():
        shares = _listed(path, list(land_cover))
        note = f"labels are the largest share in the authors' {LIST}, merged to ten classes"
    else:
        shares = np.array([_counted(files, name) for name in land_cover.values()]).reshape(-1, _IGBP_CLASSES)
        note = "labels are the largest share of the land-cover rasters, merged to ten classes"
    merged = np.stack([shares[:, np.array(of) - 1].sum(axis=1) for of in _MERGED.values()], axis=1)
    return np.asarray(merged.argmax(axis=1)), note


def _listed(path: Path, names: list[str]) -> np.ndarray:
    """Shares (pairs, 17) from the authors' list, which names the Sentinel-2 files."""
    try:
        # A pickle can run anything; this reader builds arrays and refuses the rest.
        listed = read_records(path.read_bytes(), ())
        rows = [listed[_sentinel2_file(name)] for name in names]
        shares = np.asarray(rows, dtype=float).reshape(len(names), -1)
    except KeyError as error:
        raise DatasetError(f"{path} has no labels of {error}: get it again from the toolbox of SEN12MS") from error
    except (OSError, pickle.UnpicklingError, EOFError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DatasetError(f"{path} is not the list of labels of SEN12MS: {error}") from error
    if shares.shape != (len(names), _IGBP_CLASSES):
        raise DatasetError(f"{path} has not {_IGBP_CLASSES} shares for every image: get it again")
    return shares


def _sentinel2_file(name: str) -> str:
    season, scene, patch = name.rsplit("_", 2)
    return f"{season}_s2_{scene}_{patch}.tif"


def _counted(files: Files, name: str) -> np.ndarray:
    """Shares (17,) of the IGBP classes in a raster of land cover."""
    try:
        with MemoryFile(files.read(name)) as memory, memory.open() as file:
            cover = file.read(1)
    except RasterioError as error:
        raise DatasetError(f"{files.described(name)} cannot be read as a raster: {error}") from error
    # What is none of the classes, e.g. a fill value, takes no share.
    counts = np.bincount(cover.ravel().astype(int), minlength=_IGBP_CLASSES + 1)[1 : _IGBP_CLASSES + 1]
    if not counts.any():
        raise DatasetError(f"{files.described(name)} holds none of the IGBP classes 1 to {_IGBP_CLASSES}")
    return np.asarray(counts / counts.sum())
