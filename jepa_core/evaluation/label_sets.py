"""What labels alone say about a task: how many patches each query could find, and how much it shares with them."""

from dataclasses import dataclass

import numpy as np

from jepa_core.evaluation.retrieval import NONE, RetrievalTask

_CELLS = 2_000_000
"""Pairs of label sets that are compared at once."""


@dataclass(frozen=True)
class Findable:
    """The gallery as each query may find it, its left-out row not counted."""

    size: np.ndarray
    """int64 (queries,): its patches."""

    at_least: np.ndarray
    """int64 (queries, most): those that share 1, 2, ... labels or more with the query."""

    f1: np.ndarray
    """float64 (queries,): mean item-level F1 over it."""

    @property
    def relevant(self) -> np.ndarray:
        """int64 (queries,): patches that share a label with the query."""
        return np.asarray(self.at_least[:, 0])


def label_bits(labels: np.ndarray) -> np.ndarray:
    """Label sets as bits, which are intersected faster than booleans.

    Args:
        labels: booleans (rows, classes).

    Returns:
        uint64 (rows, words), 64 classes a word.
    """
    packed = np.packbits(labels, axis=1, bitorder="little")
    padded = np.zeros((len(labels), -(-packed.shape[1] // 8) * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


def shared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of common labels.

    Args:
        first: from `label_bits`, (..., words).
        second: likewise; shapes are broadcast.

    Returns:
        int64 (...).
    """
    return np.asarray(np.bitwise_count(first & second).sum(axis=-1, dtype=np.int64))


def findable(task: RetrievalTask) -> Findable:
    """Counts over the gallery, for each query.

    Equal label sets are counted once, so that the cost hangs on the number of different sets.
    """
    query_sets, set_of_query = _different(task.query_labels)
    gallery_sets, set_of_gallery = _different(task.gallery_labels)
    times = np.bincount(set_of_gallery, minlength=len(gallery_sets)).astype(np.float64)
    sizes_q, sizes_g = query_sets.sum(axis=1), gallery_sets.sum(axis=1)
    most = int(min(sizes_q.max(), sizes_g.max()))
    at_least = np.zeros((len(query_sets), most), np.int64)
    f1 = np.zeros(len(query_sets))
    step = max(1, _CELLS // len(gallery_sets))
    for start in range(0, len(query_sets), step):
        block = slice(start, start + step)
        common = query_sets[block].astype(np.float32) @ gallery_sets.T.astype(np.float32)
        f1[block] = (2 * common / (sizes_q[block, None] + sizes_g)) @ times
        for count in range(most):
            at_least[block, count] = (common > count) @ times
    at_least, f1 = at_least[set_of_query], f1[set_of_query]

    leaves = np.flatnonzero(task.left_out != NONE)
    one, other = task.query_labels[leaves], task.gallery_labels[task.left_out[leaves]]
    lost = (one & other).sum(axis=1)
    at_least[leaves] -= lost[:, None] > np.arange(most)
    f1[leaves] -= 2 * lost / (one.sum(axis=1) + other.sum(axis=1))
    size = np.full(len(task.query_labels), len(task.gallery_labels), np.int64)
    size[leaves] -= 1
    return Findable(size=size, at_least=at_least, f1=f1 / size)


def _different(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different label sets, and which of them each row has."""
    _, first, inverse = np.unique(label_bits(labels), axis=0, return_index=True, return_inverse=True)
    return labels[first], inverse.reshape(-1)
