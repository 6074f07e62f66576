"""The vectors of a segment in full, as descriptors are stored: float16, searched exactly by faiss, memory-mapped."""

from functools import cached_property
from pathlib import Path

import faiss
import numpy as np

from jepa_core.index.files import write_faiss

_BLOCK = 50_000
"""Vectors turned into float32 at once where a whole archive is compared with many queries."""


class FullVectors:
    """Vectors of one kind of a segment, row by row."""

    def __init__(self, index: faiss.IndexScalarQuantizer) -> None:
        """Keeps the faiss index, which holds nothing but the vectors."""
        self._index = index

    @cached_property
    def half(self) -> np.ndarray:
        """All of them, float16 (rows, dimension), not copied."""
        codes = self._index.codes
        held: np.ndarray = faiss.rev_swig_ptr(codes.data(), codes.size())
        vectors: np.ndarray = np.frombuffer(held, np.float16).reshape(-1, int(self._index.d))
        return vectors

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Some of them, float32 (..., dimension)."""
        return np.asarray(self.half[rows], np.float32)

    def nearest(self, queries: np.ndarray, k: int, selector: faiss.IDSelector | None) -> tuple[np.ndarray, np.ndarray]:
        """Exact search by inner product.

        Args:
            queries: float32 (queries, dimension).
            k: hits wanted.
            selector: of rows that may be hits; all where None.

        Returns:
            Scores and rows, (queries, k), best first; rows are -1 where there are fewer.
        """
        parameters = faiss.SearchParameters(sel=selector) if selector is not None else None
        scores, rows = self._index.search(queries, k, params=parameters)
        return scores, rows

    def nearest_of_many(self, queries: np.ndarray, k: int, alive: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The same as `nearest` for hundreds of queries, by matrix products.

        Args:
            queries: float32 (queries, dimension).
            k: hits wanted.
            alive: (rows,) of bool, which rows may be hits; all where None.
        """
        scores = np.full((len(queries), k), -np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        kept = np.arange(len(self.half)) if alive is None else np.flatnonzero(alive)
        for start in range(0, len(kept), _BLOCK):
            block = kept[start : start + _BLOCK]
            found, at = faiss.knn(queries, self.of(block), min(k, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
            scores, rows = best(k, [scores, found], [rows, block[at]])
        return scores, rows


def best(k: int, scores: list[np.ndarray], rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The k best of several lists of hits, by query.

    Args:
        k: hits wanted.
        scores: each (queries, some); -inf where there is no hit.
        rows: of the same shapes.

    Returns:
        Scores and rows, (queries, k or fewer), best first; equal scores in the order given.
    """
    all_scores, all_rows = np.concatenate(scores, axis=1), np.concatenate(rows, axis=1)
    order = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(all_scores, order, 1), np.take_along_axis(all_rows, order, 1)


def write_vectors(vectors: np.ndarray, path: Path) -> None:
    """Writes float16 vectors (rows, dimension)."""
    index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for start in range(0, len(vectors), _BLOCK):
        index.add(vectors[start : start + _BLOCK].astype(np.float32))
    write_faiss(path, faiss.write_index, index)


def open_vectors(path: Path) -> FullVectors:
    """Maps the vectors into memory; nothing is read yet."""
    return FullVectors(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))


def selector_of(alive: np.ndarray) -> faiss.IDSelector:
    """A selector of the rows where `alive`, (rows,) of bool, is true."""
    bits = np.packbits(alive, bitorder="little")
    selector = faiss.IDSelectorBitmap(len(alive), faiss.swig_ptr(bits))
    # faiss keeps the address alone.
    selector.bits_held = bits
    return selector
