"""One sensor's part of an index, opened: how the nearest vectors are found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jepa_core.index.coarse import REFINE, Coarse, Trained
from jepa_core.index.filters import Filter
from jepa_core.index.rows import Patch
from jepa_core.index.segment import Kept, Segment
from jepa_core.index.vectors import best
from jepa_core.vectors import Purpose

EXACT_BELOW = 100_000
"""As many vectors, in the index or left by a filter, are compared one by one: it takes about 4 ms."""

MEASURED_K = 10
"""Hits that recall is measured with; for more of them, more lists are looked through."""

_MANY = 32
"""Queries from which on matrix products are faster than looking at each vector in turn."""

_CANDIDATES = 65_536
"""Candidates of all queries that are scored at once: they are held in memory."""

Alive = Sequence[Kept | None]
"""By segment: rows that a search may find; None for all of them."""


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

    @cached_property
    def offsets(self) -> np.ndarray:
        """Number of each segment's first row, and of all rows."""
        return np.cumsum([0, *(len(segment.rows) for segment in self.segments)])

    def alive(self, where: Filter) -> list[Kept | None]:
        """Rows that a filter leaves, by segment."""
        return [segment.kept(where) for segment in self.segments]

    def nearest(self, queries: np.ndarray, kind: Purpose, k: int, where: Filter) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest that a filter leaves: exactly where they are few or many are wanted, else through the lists.

        Args:
            queries: float32 (queries, dimension), unit norm.
            kind: of the vectors.
            k: hits wanted.
            where: the filter.

        Returns:
            Scores and rows, (queries, k or as many as are left), best first.
        """
        alive = self.alive(where)
        left = sum(
            len(segment.rows) if kept is None else kept.count
            for segment, kept in zip(self.segments, alive, strict=True)
        )
        k = min(k, left)
        if k == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        if kind not in self.coarse or left <= EXACT_BELOW or 10 * k * REFINE > left:
            return self.exact(queries, kind, k, alive)
        at_once = max(1, _CANDIDATES // (k * REFINE))
        found = [
            self._through_lists(queries[start : start + at_once], kind, k, alive, as_measured=where.passes_all)
            for start in range(0, len(queries), at_once)
        ]
        return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])

    def exact(self, queries: np.ndarray, kind: Purpose, k: int, alive: Alive) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest by comparing each vector; as `nearest`."""
        scores, rows = [], []
        for segment, kept, offset in zip(self.segments, alive, self.offsets[:-1], strict=True):
            full = segment.vectors[kind]
            if len(queries) >= _MANY:
                found, at = full.nearest_of_many(queries, k, None if kept is None else kept.mask)
            else:
                found, at = full.nearest(queries, k, None if kept is None else kept.selector)
            scores.append(np.where(at >= 0, found, -np.inf))
            rows.append(np.where(at >= 0, at + offset, -1))
        return best(k, scores, rows)

    def in_lists(
        self, queries: np.ndarray, kind: Purpose, k: int, alive: Alive, near: np.ndarray, lists: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest among those in some lists; as `nearest`, with rows of -1 where there are fewer.

        Args:
            queries: float32 (queries, dimension).
            kind: of the vectors.
            k: hits wanted.
            alive: rows that may be found.
            near: scores of the lists to look through, (queries, lists).
            lists: their numbers; -1 for none.
        """
        scores, rows = [], []
        for segment, kept, offset in zip(self.segments, alive, self.offsets[:-1], strict=True):
            selector = None if kept is None else kept.selector
            at = segment.lists[kind].candidates(queries, min(k * REFINE, len(segment.rows)), near, lists, selector)
            exact = np.einsum("qd,qcd->qc", queries, segment.vectors[kind].of(np.maximum(at, 0)))
            scores.append(np.where(at >= 0, exact, -np.inf))
            rows.append(np.where(at >= 0, at + offset, -1))
        return best(k, scores, rows)

    def _through_lists(
        self, queries: np.ndarray, kind: Purpose, k: int, alive: Alive, as_measured: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of those that may be found.

        Without a filter a search for ten looks through as many lists as recall was measured with. More hits lie in more
        lists; and a filter that has to do with what vectors look like leaves next to nothing of the nearest ones. Then
        a search looks at as many vectors in proportion, and goes on until twice as many bring nothing better.
        """
        scores = np.full((len(queries), k), -np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        going_on = np.arange(len(queries))
        if as_measured and k <= MEASURED_K:
            near, lists = self.trained[kind].nearest_lists(queries, self.coarse[kind].probes)
            scores, rows = self.in_lists(queries, kind, k, alive, near, lists)
            going_on = np.flatnonzero((rows < 0).any(axis=1))
        if len(going_on):
            near, lists = self.trained[kind].nearest_lists(queries[going_on], self.trained[kind].lists)
            passed = np.cumsum(self._counts(kind, alive)[lists], axis=1)
            wanted = self.coarse[kind].probes * self.live / lists.shape[1] * max(1, k / MEASURED_K)
        part = np.arange(len(going_on))
        while len(part):
            needed = np.minimum(1 + (passed[part] < wanted).sum(axis=1), lists.shape[1])
            some = np.ascontiguousarray(lists[part, : needed.max()])
            some[np.arange(some.shape[1]) >= needed[:, None]] = -1
            some_near = np.ascontiguousarray(near[part, : needed.max()])
            at = going_on[part]
            found, found_rows = self.in_lists(queries[at], kind, k, alive, some_near, some)
            unsettled = (found > scores[at]).any(axis=1) | (found_rows < 0).any(axis=1)
            scores[at], rows[at] = found, found_rows
            part = part[unsettled & (needed < lists.shape[1])]
            wanted *= 2
        return scores, rows

    def _counts(self, kind: Purpose, alive: Alive) -> np.ndarray:
        """How many of the rows that may be found lie in each list."""
        counts = np.zeros(self.trained[kind].lists, np.int64)
        for segment, kept in zip(self.segments, alive, strict=True):
            assigned = segment.lists[kind].assigned
            counts += np.bincount(assigned if kept is None else assigned[kept.mask], minlength=len(counts))
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
