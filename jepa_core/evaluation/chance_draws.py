"""Random rankings, for expectations that have no closed form."""

from collections.abc import Iterator, Sequence

import numpy as np

from jepa_core.evaluation.label_sets import Findable, label_bits, shared
from jepa_core.evaluation.ranking import TOP
from jepa_core.evaluation.retrieval import KS, NONE, RetrievalTask
from jepa_core.evaluation.top import harmonic

_ERROR = 5e-4
"""Standard error at which drawing ends."""

_ROUNDS = 30
"""Rounds at least, so that the error is known."""

_DRAWN = 50_000
"""Rankings drawn at once."""


def simulate(
    task: RetrievalTask, found: Findable, names: Sequence[str], generator: np.random.Generator
) -> dict[str, float]:
    """Means over rounds; in a round each query gets a random ranking.

    Args:
        task: a checked one.
        found: of the same task.
        names: of F1 by definition B and C, and of the partners' median rank.
        generator: draws.

    Returns:
        By name; the standard error of each is below 0.0005, of the median rank below 0.0005 of the gallery.
    """
    means: dict[str, float] = {}
    label_names = [name for name in names if name.startswith("f1_")]
    if label_names:
        means |= _settled(_f1_rounds(task, found, label_names, generator), label_names)
    if "partner_median_rank" in names:
        size = found.size[task.partner != NONE]
        scaled = _settled(_median_rounds(size, generator), ["partner_median_rank"])
        means["partner_median_rank"] = scaled["partner_median_rank"] * size.max()
    return means


def _settled(batches: Iterator[np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """Means of the columns of batches (rounds, names), once their errors are small."""
    rounds, total, squares = 0, np.zeros(len(names)), np.zeros(len(names))
    for batch in batches:
        rounds, total, squares = rounds + len(batch), total + batch.sum(axis=0), squares + (batch**2).sum(axis=0)
        variance = np.maximum(squares / rounds - (total / rounds) ** 2, 0)
        if rounds >= _ROUNDS and np.sqrt(variance.max() / rounds) < _ERROR:
            break
    return dict(zip(names, (total / rounds).tolist(), strict=True))


def _f1_rounds(
    task: RetrievalTask, found: Findable, names: Sequence[str], generator: np.random.Generator
) -> Iterator[np.ndarray]:
    queries = len(task.queries)
    rounds = max(1, _DRAWN // queries)
    query = np.tile(np.arange(queries), rounds)
    query_bits, gallery_bits = label_bits(task.query_labels), label_bits(task.gallery_labels)
    sizes_q, sizes_g = task.query_labels.sum(axis=1)[query], task.gallery_labels.sum(axis=1)
    size = found.size[query]
    while True:
        precision, recall = np.zeros(len(query)), np.zeros(len(query))
        figures = {}
        drawn = random_rows(task.left_out[query], len(task.gallery), min(TOP, len(task.gallery)), generator)
        for rank, rows in enumerate(drawn, 1):
            common = np.where(rank <= size, shared(query_bits[query], gallery_bits[rows]), 0)
            precision += common / sizes_g[rows]
            recall += common / sizes_q
            # The last rank drawn stands for the depths that exceed the gallery, too.
            for k in [k for k in KS if k == rank or (k > rank == min(TOP, len(task.gallery)))]:
                p, r = precision / np.minimum(k, size), recall / np.minimum(k, size)
                by_round = [values.reshape(rounds, queries).mean(axis=1) for values in (p, r, harmonic(p, r))]
                figures[f"f1_b@{k}"], figures[f"f1_c@{k}"] = harmonic(by_round[0], by_round[1]), by_round[2]
        yield np.stack([figures[name] for name in names], axis=1)


def _median_rounds(size: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    rounds = max(1, _DRAWN // len(size))
    while True:
        ranks = generator.integers(1, size + 1, (rounds, len(size)))
        yield np.median(ranks, axis=1, keepdims=True) / size.max()


def random_rows(left_out: np.ndarray, gallery: int, depth: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """The rows of random rankings, rank by rank.

    Each rank draws among the rows that are still there and counts past those that are not, in ascending order: no
    draw is thrown away however small the gallery.

    Args:
        left_out: int64 (rankings,): a row that each may not have, or `NONE`.
        gallery: number of rows.
        depth: ranks wanted, no more than there are rows.
        generator: draws.

    Yields:
        int64 (rankings,); where the left-out row makes the last rank void, any row.
    """
    # A row behind the gallery is never counted past.
    gone = [np.where(left_out == NONE, gallery, left_out)]
    size = gallery - (left_out != NONE)
    for rank in range(depth):
        row = generator.integers(0, np.maximum(size - rank, 1))
        for taken in gone:
            row += row >= taken
        row = np.minimum(row, gallery - 1)
        yield row
        rest, later = [], row
        for taken in gone:
            rest.append(np.minimum(taken, later))
            later = np.maximum(taken, later)
        gone = [*rest, later]
