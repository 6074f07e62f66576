"""One sensor's part of an index, opened: how the nearest vectors are found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jepa_core.index.coarse import REFINE, Coarse, Trained
from jepa_core.index.filters import Filter
from jepa_core.index.rows import Patch
from jepa_core.index.segment import Segment
from jepa_core.index.vectors import best, selector_of
from jepa_core.vectors import Purpose

EXACT_BELOW = 100_000
"""As many vectors, in the index or left by a filter, are compared one by one: it takes about 4 ms."""

_MANY = 32
"""Queries from which on matrix products are faster than looking at each vector in turn."""

_QUERIES = 256
"""Queries searched at once: their candidates are held in memory."""

Alive = Sequence[np.ndarray | None]
"""By segment: rows that a search may find, (rows,) of bool; None for all of them."""


@dataclass(frozen=True)
class SensorIndex:
    """Segments of one sensor; rows are numbered through them all."""

    segments: tuple[Segment, ...]
    """Oldest first."""

    coarse: Mapping[Purpose, Coarse]
    """By kind; empty where all searches are exact."""

    trained: Mapping[Purpose, Trained]
    """Quantisers of `coarse`."""

    @property
    def live(self) -> int:
        """Vectors of each kind."""
        return sum(segment.state.live for segment in self.segments)

    @property
    def offsets(self) -> np.ndarray:
        """Number of each segment's first row, and of all rows."""
        return np.cumsum([0, *(len(segment.rows) for segment in self.segments)])

    def alive(self, where: Filter) -> list[np.ndarray | None]:
        """Rows that a filter leaves, by segment."""
        return [segment.alive(where) for segment in self.segments]

    def nearest(self, queries: np.ndarray, kind: Purpose, k: int, where: Filter) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest that a filter leaves: exactly where they are few, else through the lists.

        Args:
            queries: float32 (queries, dimension), unit norm.
            kind: of the vectors.
            k: hits wanted.
            where: the filter.

        Returns:
            Scores and rows, (queries, k or as many as are left), best first; where lists gave fewer, the last rows
            are -1.
        """
        alive = self.alive(where)
        left = sum(
            len(segment.rows) if kept is None else int(kept.sum())
            for segment, kept in zip(self.segments, alive, strict=True)
        )
        k = min(k, left)
        if k == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        if kind not in self.coarse or left <= EXACT_BELOW:
            return self.exact(queries, kind, k, alive)
        parts = [queries[start : start + _QUERIES] for start in range(0, len(queries), _QUERIES)]
        wanted = None if where.passes_all else self.coarse[kind].probes * self.live / self.trained[kind].lists
        found = [self.through_lists(part, kind, k, alive, self.coarse[kind].probes, wanted) for part in parts]
        return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])

    def exact(self, queries: np.ndarray, kind: Purpose, k: int, alive: Alive) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest by comparing each vector; as `nearest`."""
        scores, rows = [], []
        for segment, kept, offset in zip(self.segments, alive, self.offsets[:-1], strict=True):
            full = segment.vectors[kind]
            if len(queries) >= _MANY:
                found, at = full.nearest_of_many(queries, k, kept)
            else:
                found, at = full.nearest(queries, k, None if kept is None else selector_of(kept))
            scores.append(np.where(at >= 0, found, -np.inf))
            rows.append(np.where(at >= 0, at + offset, -1))
        return best(k, scores, rows)

    def through_lists(
        self, queries: np.ndarray, kind: Purpose, k: int, alive: Alive, probes: int, wanted: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest among those in the lists next to each query; as `nearest`.

        Args:
            queries: float32 (queries, dimension).
            kind: of the vectors.
            k: hits wanted.
            alive: rows that may be found.
            probes: lists to look through.
            wanted: or as many lists as hold so many rows that may be found. A filter that has to do with what vectors
                look like leaves next to nothing of the nearest lists; so each search looks at as many candidates.
        """
        trained = self.trained[kind]
        if wanted is None:
            near, lists = trained.nearest_lists(queries, probes)
        else:
            near, lists = trained.nearest_lists(queries, trained.lists)
            passed = np.cumsum(self._in_lists(kind, alive)[lists], axis=1)
            needed = 1 + (passed < wanted).sum(axis=1)
            most = min(int(needed.max()), trained.lists)
            near, lists = np.ascontiguousarray(near[:, :most]), lists[:, :most].copy()
            lists[np.arange(most) >= needed[:, None]] = -1
        scores, rows = [], []
        for segment, kept, offset in zip(self.segments, alive, self.offsets[:-1], strict=True):
            selector = None if kept is None else selector_of(kept)
            at = segment.lists[kind].candidates(queries, min(k * REFINE, len(segment.rows)), near, lists, selector)
            exact = np.einsum("qd,qcd->qc", queries, segment.vectors[kind].of(np.maximum(at, 0)))
            scores.append(np.where(at >= 0, exact, -np.inf))
            rows.append(np.where(at >= 0, at + offset, -1))
        return best(k, scores, rows)

    def _in_lists(self, kind: Purpose, alive: Alive) -> np.ndarray:
        counts = np.zeros(self.trained[kind].lists, np.int64)
        for segment, kept in zip(self.segments, alive, strict=True):
            assigned = segment.lists[kind].assigned
            counts += np.bincount(assigned if kept is None else assigned[kept], minlength=len(counts))
        return counts

    def vectors(self, kind: Purpose, rows: np.ndarray) -> np.ndarray:
        """Some rows' vectors, float32 (rows, dimension)."""
        found = np.empty((len(rows), self.segments[0].vectors[kind].half.shape[1]), np.float32)
        for number, at in self._by_segment(rows):
            found[at] = self.segments[number].vectors[kind].of(rows[at] - self.offsets[number])
        return found

    def patches(self, rows: np.ndarray) -> list[Patch]:
        """Some rows as records, in their order."""
        found: dict[int, Patch] = {}
        for number, at in self._by_segment(rows):
            found.update(zip(at.tolist(), self.segments[number].patches(rows[at] - self.offsets[number]), strict=True))
        return [found[i] for i in range(len(rows))]

    def row_of(self, patch_id: str) -> int | None:
        """Row of a patch that is in the index."""
        for segment, offset in zip(self.segments, self.offsets[:-1], strict=True):
            row = segment.row_of(patch_id)
            if row is not None:
                return row + int(offset)
        return None

    def _by_segment(self, rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
        numbers = np.searchsorted(self.offsets, rows, "right") - 1
        return [(int(number), np.flatnonzero(numbers == number)) for number in np.unique(numbers)]
