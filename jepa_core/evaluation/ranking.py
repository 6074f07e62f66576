"""Exact rankings of whole galleries, a block of queries at a time.

Each query sorts one integer a gallery row: the cosine in the upper half, the row below it, and in the lowest bit
whether the row is relevant. Sorting integers is many times faster than a stable sort of floats, rows of equal cosine
come out in ascending order, and what the metrics need of the whole ranking comes out with it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from jepa_core.evaluation.label_sets import Findable, label_bits
from jepa_core.evaluation.retrieval import KS, NONE, RetrievalTask

TOP = max(KS)
"""Rows of each ranking that are kept."""

_CELLS = 2_000_000
"""Query-gallery pairs of a block; arrays of a block take some 60 MB."""

_TILE = 8_192
"""Gallery rows that are multiplied at once."""

_THREADS = 2
"""Sorting and multiplying let other threads run."""

_ONE = 2.0**30
"""A cosine of 1 in a key: cosines less than 1e-9 apart, finer than float32 near 1, are equal."""

_ROW_BITS = 32
"""Of a key, for row and relevance."""

_LAST = np.iinfo(np.int64).max - 1
"""Sorts behind every row and is not relevant."""


@dataclass(frozen=True)
class Ranked:
    """What is kept of the rankings."""

    rows: np.ndarray
    """int64 (queries, 20): gallery rows, nearest first; `NONE` where a query has no more to find."""

    cosines: np.ndarray
    """float32 (queries, 20): theirs; NaN likewise."""

    average_precision: np.ndarray
    """float64 (queries,), over the whole gallery; NaN for a query without a relevant patch."""

    r_precision: np.ndarray
    """float64 (queries,): relevant share of the first R, R being the number of relevant patches; NaN likewise."""

    partner_rank: np.ndarray
    """float64 (queries,): from 1; NaN without a partner."""

    recall: np.ndarray
    """float64 (curve ranks,): share of the relevant patches found up to each, mean over queries that have some."""


def rank_all(task: RetrievalTask, found: Findable, curve_ranks: np.ndarray) -> Ranked:
    """Ranks the gallery for every query by descending cosine; equal cosines in ascending order of rows.

    Args:
        task: a checked one.
        found: of the same task.
        curve_ranks: int64 (curve ranks,), ascending from 1, the last no less than any query's gallery.
    """
    step = max(1, _CELLS // len(task.gallery))
    query_bits, gallery_bits = label_bits(task.query_labels), label_bits(task.gallery_labels)
    bins = np.searchsorted(curve_ranks, np.arange(1, len(task.gallery) + 1))

    def ranked(start: int) -> Ranked:
        block = np.arange(start, min(start + step, len(task.queries)))
        relevant = np.zeros((len(block), len(task.gallery)), bool)
        for word in range(query_bits.shape[1]):
            relevant |= (query_bits[block, None, word] & gallery_bits[None, :, word]) != 0
        keys = _keys(task.queries[block], task.gallery, relevant)
        leaves = np.flatnonzero(task.left_out[block] != NONE)
        keys[leaves, task.left_out[block[leaves]]] = _LAST
        partner_rank = _partner_rank(keys, task.partner[block])
        keys.sort(axis=1)
        rows, cosines = _top(keys, found.size[block])
        precision, at_r, recall = _whole(keys, found.relevant[block], bins, len(curve_ranks))
        return Ranked(rows, cosines, precision, at_r, partner_rank, recall)

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(ranked, range(0, len(task.queries), step)))
    answerable = int((found.relevant > 0).sum())
    recall = np.sum([part.recall for part in parts], axis=0)
    return Ranked(
        rows=np.concatenate([part.rows for part in parts]),
        cosines=np.concatenate([part.cosines for part in parts]),
        average_precision=np.concatenate([part.average_precision for part in parts]),
        r_precision=np.concatenate([part.r_precision for part in parts]),
        partner_rank=np.concatenate([part.partner_rank for part in parts]),
        recall=recall / answerable if answerable else np.full(len(curve_ranks), np.nan),
    )


def _keys(queries: np.ndarray, gallery: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """int64 keys (queries, gallery) that ascend as cosines descend, then as rows ascend.

    Multiplied in float64 and then rounded: in float32 the sums depend on where in a block a row lies, so that equal
    vectors would have unequal cosines and the order of ties would hang on block sizes.
    """
    keys = np.empty(relevant.shape, np.int64)
    wide = queries.astype(np.float64) * -_ONE
    for start in range(0, len(gallery), _TILE):
        keys[:, start : start + _TILE] = np.rint(wide @ gallery[start : start + _TILE].astype(np.float64).T)
    keys <<= _ROW_BITS
    keys |= np.arange(len(gallery), dtype=np.int64) << 1
    keys |= relevant
    return keys


def _partner_rank(keys: np.ndarray, partner: np.ndarray) -> np.ndarray:
    ranks = np.full(len(keys), np.nan)
    has = np.flatnonzero(partner != NONE)
    ranks[has] = (keys[has] < keys[has, partner[has]][:, None]).sum(axis=1) + 1
    return ranks


def _top(keys: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.full((len(keys), TOP), NONE, np.int64)
    cosines = np.full((len(keys), TOP), np.nan, np.float32)
    first = keys[:, :TOP]
    depth = first.shape[1]
    there = np.arange(depth) < size[:, None]
    rows[:, :depth] = np.where(there, (first & (2**_ROW_BITS - 1)) >> 1, NONE)
    cosines[:, :depth] = np.where(there, (first >> _ROW_BITS) / -_ONE, np.nan)
    return rows, cosines


def _whole(
    keys: np.ndarray, relevant: np.ndarray, bins: np.ndarray, curve: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average precision and R-precision of each query, and recall at the curve's ranks summed over queries."""
    queries, gallery = keys.shape
    query, column = np.divmod(np.flatnonzero((keys & 1).astype(bool)), gallery)
    # The how manieth relevant patch of its query each one is.
    nth = np.arange(1, len(query) + 1) - np.repeat(np.cumsum(relevant) - relevant, relevant)
    some = np.where(relevant > 0, relevant, np.nan)
    precision = np.bincount(query, nth / (column + 1), minlength=queries) / some
    at_r = np.bincount(query, column < relevant[query], minlength=queries) / some
    binned = np.bincount(query * curve + bins[column], minlength=queries * curve).reshape(queries, curve)
    recall = np.nansum(np.cumsum(binned, axis=1) / some[:, None], axis=0)
    return precision, at_r, recall
