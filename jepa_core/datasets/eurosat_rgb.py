"""EuroSAT RGB: 27,000 pictures of Sentinel-2, 64 x 64 pixels of 10 m, ten classes of land use.

Helber, Bischke, Dengel, Borth 2019: EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land Use and Land Cover
Classification, IEEE JSTARS 12(7). MIT licence. Published as `EuroSAT_RGB.zip` (doi 10.5281/zenodo.7711810), which holds
`EuroSAT_RGB/<class>/<class>_<n>.jpg`. The authors publish no split; ours is 70/10/20 in each class.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepa_core.datasets.class_folders import Listed, list_classes
from jepa_core.datasets.files import Files, open_files
from jepa_core.datasets.jpegs import decode_rgb, rgb_sensor
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.reading import Images, reader_of
from jepa_core.datasets.splitting import stratified_splits
from jepa_core.fingerprint import fingerprint

SIDE = 64
"""Height and width, pixels."""

SPLIT_SEED = 20190712
"""Decides which image is in which part, here and in the multispectral edition."""

CLASS_COUNTS = {
    "AnnualCrop": 3000,
    "Forest": 3000,
    "HerbaceousVegetation": 3000,
    "Highway": 2500,
    "Industrial": 2500,
    "Pasture": 2000,
    "PermanentCrop": 2500,
    "Residential": 3000,
    "River": 2500,
    "SeaLake": 3000,
}

SOURCE = "EuroSAT (Helber et al. 2019, doi 10.5281/zenodo.7711810), MIT licence"

OWN_SPLIT = f"the split is ours (70/10/20 in each class, seed {SPLIT_SEED}): the authors publish none"

SENSOR = rgb_sensor(resolution_m=10.0)


@dataclass(frozen=True)
class Expected:
    """What the set is held against."""

    counts: Mapping[str, int]
    """Images of each class."""

    md5: str
    """MD5 of the zip file; one that was packed anew has another and is taken with a note."""


PUBLISHED = Expected(CLASS_COUNTS, md5="f46e308c4d50d4bf32fedad2d3d62f3b")
"""The archive as published; the checksum is that of its record at the doi."""


@dataclass(frozen=True)
class EurosatImages:
    """The pictures on disk."""

    files: Files
    """Where they lie."""

    listed: Listed
    """Which there are."""

    def read(self, row: int) -> np.ndarray:
        """Pixels (3, y, x) of a row."""
        return decode_rgb(self.files.read(self.listed.files[row]), self.described(row))

    def described(self, row: int) -> str:
        """The file of a row, for messages."""
        return self.files.described(self.listed.files[row])


def open_eurosat_rgb(root: Path, expected: Expected = PUBLISHED) -> LabelledSet:
    """The set in a zip file or an unpacked folder.

    Args:
        root: `EuroSAT_RGB.zip`, or a folder with the class folders anywhere below.
        expected: numbers of images and checksum.

    Raises:
        DatasetError: files are missing or the archive cannot be read.
    """
    images, notes = find_images(root, expected)
    return labelled("eurosat-rgb", images, (Images(SENSOR, SIDE, images.read, images.described),), notes)


def find_images(root: Path, expected: Expected) -> tuple[EurosatImages, tuple[str, ...]]:
    """The pictures, and what is to be said about where they come from.

    Raises:
        DatasetError: files are missing or the archive cannot be read.
    """
    files = open_files(root, (".jpg",))
    images = EurosatImages(files, list_classes(files, expected.counts))
    return images, (OWN_SPLIT, *_origin(root, expected))


def labelled(name: str, images: EurosatImages, sensors: tuple[Images, ...], notes: tuple[str, ...]) -> LabelledSet:
    """The pictures as a set of one or two sensors."""
    listed = images.listed
    splits = stratified_splits(listed.numbers, SPLIT_SEED)
    # Of the contents, so that the zip file and the folder it is unpacked to are one version.
    contents = [[name, images.files.crc(file)] for name, file in zip(listed.ids.tolist(), listed.files, strict=True)]
    return LabelledSet(
        name=name,
        version=fingerprint([name, contents, listed.classes, listed.numbers.tolist(), splits.tolist()]),
        sensors=tuple(source.sensor for source in sensors),
        classes=listed.classes,
        multi_label=False,
        ids=listed.ids,
        labels=listed.labels,
        splits=splits,
        read=reader_of(name, sensors),
        source=SOURCE,
        notes=notes,
    )


def _origin(root: Path, expected: Expected) -> tuple[str, ...]:
    if root.is_dir():
        return ("read from an unpacked folder: that it is the published archive is not checked",)
    with root.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 == expected.md5:
        return ()
    return (f"the zip file is not the published one byte for byte (MD5 {md5}, published {expected.md5})",)
