"""What the editions of EuroSAT share: classes, numbers of images, split, origin.

Helber, Bischke, Dengel, Borth 2019: EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land Use and Land Cover
Classification, IEEE JSTARS 12(7). MIT licence. Published at doi 10.5281/zenodo.7711810 as `EuroSAT_RGB.zip` and
`EuroSAT_MS.zip`, which hold `<edition>/<class>/<class>_<n>.<jpg or tif>`; a number is the same place in both. The
authors publish no split; ours is 70/10/20 in each class, the same in all editions.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepa_core.datasets.class_folders import Listed, list_classes
from jepa_core.datasets.files import Files, open_files
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.reading import Images, reader_of
from jepa_core.datasets.splitting import stratified_splits
from jepa_core.fingerprint import fingerprint

SIDE = 64
"""Height and width, pixels."""

SPLIT_SEED = 20190712
"""Decides which image is in which part."""

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

_OWN_SPLIT = f"the split is ours (70/10/20 in each class, seed {SPLIT_SEED}): the authors publish none"


@dataclass(frozen=True)
class Expected:
    """What an edition is held against."""

    counts: Mapping[str, int]
    """Images of each class."""

    md5: str
    """MD5 of the zip file; one that was packed anew has another and is taken with a note."""


@dataclass(frozen=True)
class EurosatImages:
    """The images on disk."""

    files: Files
    """Where they lie."""

    listed: Listed
    """Which there are."""

    notes: tuple[str, ...]
    """What is to be said of split and origin."""

    decode: Callable[[bytes, str], np.ndarray]
    """Content and name of a file to pixels (bands, y, x)."""

    def read(self, row: int) -> np.ndarray:
        """Pixels (bands, y, x) of a row."""
        return self.decode(self.files.read(self.listed.files[row]), self.described(row))

    def described(self, row: int) -> str:
        """The file of a row, for messages."""
        return self.files.described(self.listed.files[row])


def find_images(
    root: Path, ending: str, expected: Expected, decode: Callable[[bytes, str], np.ndarray]
) -> EurosatImages:
    """The images of an edition, in its zip file or an unpacked folder.

    Raises:
        DatasetError: files are missing or the archive cannot be read.
    """
    files = open_files(root, (ending,))
    listed = list_classes(files, expected.counts)
    return EurosatImages(files, listed, (_OWN_SPLIT, *_origin(root, expected)), decode)


def labelled(
    name: str,
    images: EurosatImages,
    sensors: Sequence[Images],
    stamp: Callable[[str], int],
    notes: tuple[str, ...] = (),
) -> LabelledSet:
    """The images as a set.

    Args:
        name: of the set.
        images: the images.
        sensors: what is read of them.
        stamp: a file's checksum or size, for the version: the zip file and the folder it is unpacked to are one.
        notes: what is to be said beside split and origin.
    """
    listed = images.listed
    splits = stratified_splits(listed.numbers, SPLIT_SEED)
    contents = [[name, stamp(file)] for name, file in zip(listed.ids.tolist(), listed.files, strict=True)]
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
        notes=(*notes, *images.notes),
    )


def _origin(root: Path, expected: Expected) -> tuple[str, ...]:
    if root.is_dir():
        return ("read from an unpacked folder: that it is the published archive is not checked",)
    with root.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 == expected.md5:
        return ()
    return (f"the zip file is not the published one byte for byte (MD5 {md5}, published {expected.md5})",)
