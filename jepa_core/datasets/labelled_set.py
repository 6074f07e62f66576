"""What training and benchmark know of a set: images of one sensor or pairs of two, with labels and splits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from jepa_core.errors import JepaError
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

SPLITS = ("train", "val", "test")


class DatasetError(JepaError):
    """A set's files are missing, damaged or not what they should be."""


def pixels_note(name: str) -> str:
    """A note for sets too large to be read whole each time they are opened, whose version leaves pixels out."""
    return (
        f"pixels are not in the fingerprint: after files were replaced, use another JEPA_DATA or remove its sets/{name}"
    )


Reader = Callable[[Sensor, np.ndarray], np.ndarray]
"""Sensor and rows to pixels: (rows, bands, y, x) in the sensor's unit, band order and dtype, in the order of the rows.
Called from several threads at once."""


@dataclass(frozen=True)
class LabelledSet:
    """A set in memory but for its pixels. Row i of every sensor is of one pair."""

    name: str
    """Name that users type, e.g. `eurosat-rgb`."""

    version: str
    """Fingerprint of what the figures hang on: files, rows, labels, splits."""

    sensors: tuple[Sensor, ...]
    """One, or the two of a pair. Sides of their images may differ."""

    classes: tuple[str, ...]
    """Names of the classes, in the order of the columns of `labels`."""

    multi_label: bool
    """Whether a row may have several classes."""

    ids: np.ndarray
    """(rows,), text, no two alike: what people find a row by."""

    labels: np.ndarray
    """Booleans (rows, classes); a row without any is unlabelled: it may be trained on and is in no figure."""

    splits: np.ndarray
    """(rows,), `train`, `val`, `test`, or empty where a row is in none."""

    read: Reader = field(repr=False)
    """Reads pixels."""

    source: str
    """Where the set comes from and under which licence, for the report."""

    notes: tuple[str, ...] = ()
    """What a reader must know before figures are compared: sensors derived from others, splits of our making."""

    def __post_init__(self) -> None:
        """Makes sure that the parts fit together.

        Raises:
            DatasetError: they do not; the message says which.
        """
        rows = len(self.ids)
        if self.labels.shape != (rows, len(self.classes)) or self.labels.dtype != bool or len(self.splits) != rows:
            raise DatasetError(
                f"{self.name}: {rows} ids, {len(self.splits)} splits and labels of shape {self.labels.shape} "
                f"for {len(self.classes)} classes do not fit together"
            )
        unknown = set(np.unique(self.splits)) - {*SPLITS, ""}
        if unknown:
            raise DatasetError(f"{self.name}: splits are {', '.join(SPLITS)}, not {', '.join(sorted(unknown))}")
        names, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise DatasetError(f"{self.name}: {(counts > 1).sum()} ids are there twice, {names[counts > 1][0]} first")
        several = int((self.labels.sum(axis=1) > 1).sum())
        if several and not self.multi_label:
            raise DatasetError(f"{self.name} has one class a row, but {several} rows have more")

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.ids)

    def rows(self, *splits: str) -> np.ndarray:
        """Rows of some splits, ascending."""
        return np.flatnonzero(np.isin(self.splits, splits))

    def labelled_rows(self, *splits: str) -> np.ndarray:
        """Rows of some splits that have a class, ascending."""
        rows = self.rows(*splits)
        return np.asarray(rows[self.labels[rows].any(axis=1)])

    def for_choosing(self) -> "LabelledSet":
        """The same set judged on its validation split, for settings to be chosen by: no test row is in any split.

        Raises:
            DatasetError: it has no validation split.
        """
        if not (self.splits == "val").any():
            raise DatasetError(f"{self.name} has no validation split to choose settings by")
        return replace(
            self,
            version=fingerprint([self.version, "judged on val"]),
            splits=np.where(self.splits == "test", "", np.where(self.splits == "val", "test", self.splits)),
            notes=(
                *self.notes,
                "judged on the validation split, which settings are chosen by; no test row is in any figure",
            ),
        )

    def label_names(self, row: int) -> tuple[str, ...]:
        """Classes of a row."""
        return tuple(name for name, there in zip(self.classes, self.labels[row], strict=True) if there)

    def blocks(self, sensor: Sensor, rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """Pixels of rows, `size` rows at a time."""
        for start in range(0, len(rows), size):
            yield self.read(sensor, rows[start : start + size])
