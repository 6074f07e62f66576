"""BigEarthNet v2 (reBEN): 480,038 pairs of Sentinel-1 and Sentinel-2 patches with its own splits, 19 classes.

Clasen et al. 2024: reBEN: Refined BigEarthNet Dataset for Remote Sensing Image Analysis. Community Data License
Agreement - Permissive 1.0. The archives (doi 10.5281/zenodo.10891137) unpack to `BigEarthNet-S1/<product>/<patch>/` and
`BigEarthNet-S2/<product>/<patch>/`, with a GeoTIFF a band; `metadata.parquet` lists the pairs that the authors
recommend, and their splits. A row is a pair of that table: who holds a part of the set gives a table of that part.
"""

import hashlib
from pathlib import Path

import numpy as np

from jepa_core.archive.bigearthnet_v2 import read_pairs
from jepa_core.archive.nomenclature import BEN19
from jepa_core.archive.scene import ArchiveError
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet, pixels_note
from jepa_core.datasets.patch_folders import ben19_labels, find_patches
from jepa_core.datasets.reading import reader_of
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import SENTINEL1, SENTINEL2

_NAME = "ben-v2"

METADATA_MD5 = "55687065e77b6d0b0f1ff604a6e7b49c"
"""MD5 of the published `metadata.parquet`, of its record at the doi."""

SOURCE = (
    "BigEarthNet v2, reBEN (Clasen et al. 2024, doi 10.5281/zenodo.10891137), contains modified Copernicus Sentinel "
    "data, Community Data License Agreement - Permissive 1.0"
)


def open_ben_v2(root: Path, metadata_md5: str = METADATA_MD5) -> LabelledSet:
    """The set in a folder with `metadata.parquet` and the unpacked archives of both sensors.

    That folders are there is checked now, that bands are in them when they are read: there are seven million.

    Args:
        root: that folder.
        metadata_md5: of the table; where it is another one, the set is taken with a note.

    Raises:
        DatasetError: the table or patches that it lists are missing.
    """
    path = root / "metadata.parquet"
    if not path.is_file():
        raise DatasetError(f"{path} is missing: put the set's metadata.parquet above its two folders of patches")
    try:
        listed = sorted(read_pairs(path), key=lambda pair: pair.patch)
    except ArchiveError as error:
        raise DatasetError(str(error)) from error
    s1_names = [pair.partner for pair in listed]
    ids, splits = np.array([pair.patch for pair in listed]), np.array([pair.split for pair in listed])
    s1, s2 = find_patches(_NAME, root, [(SENTINEL1, s1_names), (SENTINEL2, ids.tolist())])
    labels = ben19_labels([pair.labels for pair in listed])
    notes: tuple[str, ...] = ("the splits are the set's own", pixels_note(_NAME))
    if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != metadata_md5:
        notes += (f"metadata.parquet is not the published one: it lists {len(listed):,} pairs",)
    return LabelledSet(
        name=_NAME,
        version=fingerprint([_NAME, ids.tolist(), s1_names, np.packbits(labels).tobytes().hex(), splits.tolist()]),
        sensors=(SENTINEL1, SENTINEL2),
        classes=BEN19,
        multi_label=True,
        ids=ids,
        labels=labels,
        splits=splits,
        read=reader_of(_NAME, (s1.images(), s2.images())),
        source=SOURCE,
        notes=notes,
    )
