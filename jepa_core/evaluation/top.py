"""Metrics over the k nearest patches, query by query."""

import numpy as np

from jepa_core.evaluation.label_sets import Findable, label_bits, shared
from jepa_core.evaluation.ranking import TOP
from jepa_core.evaluation.retrieval import KS, RetrievalTask

DISCOUNTS = 1 / np.log2(np.arange(2, TOP + 2))
"""Of nDCG, by rank from 1."""


def harmonic(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Harmonic mean 2ab / (a + b), 0 where both are 0."""
    total = first + second
    return np.asarray(np.divide(2 * first * second, total, out=np.zeros_like(total), where=total != 0))


def ideal_dcg(found: Findable) -> np.ndarray:
    """DCG of the best order of the gallery, float64 (queries, 20), up to each rank."""
    gains = sum((found.at_least[:, count, None] > np.arange(TOP)) for count in range(found.at_least.shape[1]))
    return np.asarray(np.cumsum(gains * DISCOUNTS, axis=1))


def top_columns(task: RetrievalTask, rows: np.ndarray, found: Findable) -> dict[str, np.ndarray]:
    """Metrics at each depth of `KS`.

    A query that has fewer than k patches to find has all of them found, and means are over what there is.

    Args:
        task: a checked one.
        rows: from `ranking.Ranked`, (queries, 20).
        found: of the same task.

    Returns:
        By column name, float64 (queries,); recall, AP and nDCG are NaN where a query has no relevant patch.
    """
    there = np.arange(TOP) < found.size[:, None]
    query_bits, gallery_bits = label_bits(task.query_labels), label_bits(task.gallery_labels)
    gains = np.where(there, shared(query_bits[:, None], gallery_bits[rows]), 0)
    sizes_q = task.query_labels.sum(axis=1)[:, None]
    sizes_g = task.gallery_labels.sum(axis=1)[rows]
    hits = np.cumsum(gains > 0, axis=1)
    precisions = np.cumsum(hits / np.arange(1, TOP + 1) * (gains > 0), axis=1)
    dcg, ideal = np.cumsum(gains * DISCOUNTS, axis=1), ideal_dcg(found)
    items = {
        "f1_a": np.cumsum(2 * gains / (sizes_q + sizes_g), axis=1),
        "label_precision": np.cumsum(gains / sizes_g, axis=1),
        "label_recall": np.cumsum(gains / sizes_q, axis=1),
        "precision": hits,
    }
    some = np.where(found.relevant > 0, found.relevant, np.nan)
    columns: dict[str, np.ndarray] = {}
    for k in KS:
        taken = np.minimum(k, found.size)
        columns |= {f"{name}@{k}": sums[:, k - 1] / taken for name, sums in items.items()}
        columns[f"f1_c@{k}"] = harmonic(columns[f"label_precision@{k}"], columns[f"label_recall@{k}"])
        columns[f"recall@{k}"] = hits[:, k - 1] / some
        columns[f"map@{k}"] = precisions[:, k - 1] / np.minimum(some, k)
        columns[f"ndcg@{k}"] = dcg[:, k - 1] / np.where(found.relevant > 0, ideal[:, k - 1], np.nan)
    return columns


def retrieved_classes(task: RetrievalTask, rows: np.ndarray, found: Findable, k: int) -> np.ndarray:
    """Which classes the k nearest of each class have.

    Returns:
        float64 (classes, classes): of queries with the row's class, the share of the k nearest that have the column's,
        mean over those queries; NaN in rows of classes that no query has.
    """
    there = np.arange(k) < found.size[:, None]
    shares = np.zeros(task.query_labels.shape)
    for rank in range(min(k, TOP)):
        shares += task.gallery_labels[rows[:, rank]] & there[:, rank, None]
    shares /= np.minimum(k, found.size)[:, None]
    of_class = task.query_labels.sum(axis=0)
    sums = task.query_labels.T.astype(np.float64) @ shares
    return np.asarray(sums / np.where(of_class > 0, of_class, np.nan)[:, None])
