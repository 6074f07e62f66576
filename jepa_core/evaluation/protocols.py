"""Who asks and what is searched: the protocols that papers of this field mix up, each by its name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import JepaError
from jepa_core.evaluation.results import Search
from jepa_core.evaluation.retrieval import NONE, RetrievalTask
from jepa_core.vectors import Purpose

Vectors = Mapping[str, Mapping[Purpose, np.ndarray]]
"""By sensor name and kind: float32 (rows of the set, dimension), NaN in rows that were not described."""

PROTOCOLS = ("test", "val to test", "test to rest")
"""In the order of the report; `results.Search` says what they are."""

_ORDER = 0
"""Seed of the galleries' order."""


class BenchmarkError(JepaError):
    """The data do not allow the benchmark."""


@dataclass(frozen=True)
class Plan:
    """One search over rows of a set."""

    search: Search
    """What it is called."""

    queries: np.ndarray
    """Rows that ask."""

    gallery: np.ndarray
    """Rows that are searched, in a drawn order: sets lie sorted by class, and among equal cosines the first wins."""

    left_out: np.ndarray
    """As in `RetrievalTask`: positions in `gallery`."""

    partner: np.ndarray
    """Likewise."""

    @property
    def purpose(self) -> Purpose:
        """Which descriptors serve it."""
        return "same" if self.search.query == self.search.gallery else "cross"

    def task(self, data: LabelledSet, vectors: Vectors, head: Purpose) -> RetrievalTask:
        """The search with the descriptors of one kind."""
        return RetrievalTask(
            queries=vectors[self.search.query][head][self.queries],
            gallery=vectors[self.search.gallery][head][self.gallery],
            query_labels=data.labels[self.queries],
            gallery_labels=data.labels[self.gallery],
            left_out=self.left_out,
            partner=self.partner,
        )


def plans(data: LabelledSet) -> list[Plan]:
    """All searches that a set allows: labelled rows only, a protocol without queries or gallery left out.

    Args:
        data: the set.

    Returns:
        For each protocol: within each sensor, then from the first to the second and back.

    Raises:
        BenchmarkError: fewer than two labelled test rows.
    """
    test = data.labelled_rows("test")
    if len(test) < 2:
        raise BenchmarkError(
            f"the benchmark of {data.name} needs at least 2 labelled rows in the test split and found {len(test)} "
            f"of {len(data)} rows"
        )
    val, rest = data.labelled_rows("val"), data.labelled_rows("train", "val")
    found = list(_within_test(data, test))
    for protocol, queries, gallery in (("val to test", val, test), ("test to rest", test, rest)):
        if len(queries) and len(gallery):
            found += [
                Plan(Search(protocol, query, of, "apart"), queries, _shuffled(gallery), _none(queries), _none(queries))
                for query, of in _directions(data)
            ]
    return found


def _directions(data: LabelledSet) -> list[tuple[str, str]]:
    names = [sensor.name for sensor in data.sensors]
    return [(name, name) for name in names] + [(a, b) for a in names for b in names if a != b]


def _within_test(data: LabelledSet, test: np.ndarray) -> Iterator[Plan]:
    searched, none = _shuffled(test), _none(test)
    itself = np.argsort(searched)  # where in the gallery each test row is, these being ascending
    for query, gallery in _directions(data):
        if query == gallery:
            yield Plan(Search("test", query, gallery, "self removed"), test, searched, itself, none)
        else:
            yield Plan(Search("test", query, gallery, "kept"), test, searched, none, itself)
            yield Plan(Search("test", query, gallery, "removed"), test, searched, itself, none)


def _shuffled(rows: np.ndarray) -> np.ndarray:
    return np.random.default_rng(_ORDER).permutation(rows)


def _none(queries: np.ndarray) -> np.ndarray:
    return np.full(len(queries), NONE)
