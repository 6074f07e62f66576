"""BEN-14K: 14,832 pairs of Sentinel-1 and Sentinel-2 patches of BigEarthNet v1 over Serbia, summer 2017, 19 classes.

Sumbul et al. 2021: BigEarthNet-MM, A Large Scale Multi-Modal Multi-Label Benchmark Archive for Remote Sensing Image
Classification and Retrieval, IEEE GRSM 9(3). Community Data License Agreement - Permissive 1.0. The archives
`BigEarthNet-S1-v1.0.tar.gz` and `BigEarthNet-S2-v1.0.tar.gz` (doi 10.5281/zenodo.12687186) unpack to
`BigEarthNet-S1-v1.0/<patch>/` and `BigEarthNet-v1.0/<patch>/`, with a GeoTIFF a band and a JSON file with the labels.
Which pairs belong to it: `ben14k_pairs`.
"""

import json
from pathlib import Path

import pandas as pd

from jepa_core.archive.bigearthnet_v1 import band_files
from jepa_core.archive.nomenclature import BEN19, to_ben19
from jepa_core.archive.scene import ArchiveError
from jepa_core.datasets.ben14k_pairs import read_pairs
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet, pixels_note
from jepa_core.datasets.patch_folders import ben19_labels, find_patches
from jepa_core.datasets.reading import reader_of
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import SENTINEL1, SENTINEL2

_NAME = "ben14k"

SOURCE = (
    "BigEarthNet v1 (Sumbul et al. 2021, doi 10.5281/zenodo.12687186), contains modified Copernicus Sentinel data, "
    "Community Data License Agreement - Permissive 1.0"
)

_NOTES = (
    "which pairs are BEN-14K is worked out from the number that papers give (Serbia, Sentinel-2 date in June to August "
    "2017, with a class of the 19): they publish no list",
    "the splits are the official ones of BigEarthNet-MM",
    pixels_note(_NAME),
)


def open_ben14k(root: Path, pairs: pd.DataFrame | None = None) -> LabelledSet:
    """The set in a folder that holds the patches of both sensors, whatever else it holds.

    Args:
        root: folder above the unpacked archives.
        pairs: columns `s2_name`, `s1_name` and `split`; those of BEN-14K where not given.

    Raises:
        DatasetError: patches, bands or label files are missing or broken.
    """
    pairs = read_pairs() if pairs is None else pairs
    s1, s2 = find_patches(_NAME, root, [(SENTINEL1, pairs["s1_name"].tolist()), (SENTINEL2, pairs["s2_name"].tolist())])
    try:
        for patches in (s1, s2):
            for folder in patches.folders:
                band_files(folder, patches.sensor)
    except ArchiveError as error:
        raise DatasetError(f"{error}: unpack the archive again") from error
    labels = ben19_labels([_labels(folder) for folder in s2.folders])
    ids, splits = pairs["s2_name"].to_numpy(dtype=str), pairs["split"].to_numpy(dtype=str)
    content = [_NAME, ids.tolist(), pairs["s1_name"].tolist(), labels.tolist(), splits.tolist()]
    return LabelledSet(
        name=_NAME,
        version=fingerprint(content),
        sensors=(SENTINEL1, SENTINEL2),
        classes=BEN19,
        multi_label=True,
        ids=ids,
        labels=labels,
        splits=splits,
        read=reader_of(_NAME, (s1.images(), s2.images())),
        source=SOURCE,
        notes=_NOTES,
    )


def _labels(folder: Path) -> tuple[str, ...]:
    path = folder / f"{folder.name}_labels_metadata.json"
    try:
        return to_ben19(json.loads(path.read_text())["labels"])
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path} is missing: without it the patch has no labels, unpack the archive again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{path} holds no labels of BigEarthNet: {what}") from error
