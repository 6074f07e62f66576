"""Sets whose folders are their classes: `<...>/<class>/<image>`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from jepa_core.datasets.files import Files
from jepa_core.datasets.labelled_set import DatasetError


@dataclass(frozen=True)
class Listed:
    """The images of such a set, sorted by id."""

    files: tuple[str, ...]
    """Path of each image below the root."""

    ids: np.ndarray
    """(rows,) text: the images' names without ending."""

    classes: tuple[str, ...]
    """Names of the classes, sorted."""

    numbers: np.ndarray
    """(rows,) position of each image's class in `classes`."""

    @property
    def labels(self) -> np.ndarray:
        """Booleans (rows, classes)."""
        return np.asarray(self.numbers[:, None] == np.arange(len(self.classes)))


def list_classes(files: Files, counts: Mapping[str, int]) -> Listed:
    """The images of a set by class.

    Args:
        files: its images and nothing else.
        counts: how many images each class has.

    Raises:
        DatasetError: a class is missing, unknown or has another number of images.
    """
    found = sorted((path.stem, path.parent.name, str(path)) for path in map(PurePosixPath, files.names))
    if not found:
        raise DatasetError(f"{files.place} holds none of the set's images: give its zip file or unpacked folder")
    there = Counter(of for _, of, _ in found)
    unknown = sorted(set(there) - set(counts))
    if unknown:
        raise DatasetError(
            f"{files.place} has a folder {unknown[0] or '.'!r} of images, which is no class of the set; "
            f"classes are {', '.join(sorted(counts))}"
        )
    for name, count in sorted(counts.items()):
        if there[name] != count:
            what = "is empty or missing" if not there[name] else f"has {there[name]} images"
            raise DatasetError(f"class folder {name!r} in {files.place} {what}, the set has {count}: get it again")
    classes = tuple(sorted(counts))
    return Listed(
        files=tuple(path for _, _, path in found),
        ids=np.array([name for name, _, _ in found]),
        classes=classes,
        numbers=np.array([classes.index(of) for _, of, _ in found]),
    )
