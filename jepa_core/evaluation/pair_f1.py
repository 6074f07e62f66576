"""F1 of small sets of labelled patches, all pairs at once; `evaluation.metrics` measures whole benchmarks."""

import numpy as np


def pair_f1(query_labels: np.ndarray, gallery_labels: np.ndarray) -> np.ndarray:
    """F1 of every query's label set with every gallery patch's: 2PR / (P + R), 0 where they share none.

    With P = |q and r| / |r| and R = |q and r| / |q| this is 2 |q and r| / (|q| + |r|).

    Args:
        query_labels: booleans (queries, classes), at least one true a row.
        gallery_labels: booleans (gallery, classes), likewise.

    Returns:
        float64 (queries, gallery).

    Raises:
        ValueError: a patch without labels.
    """
    sizes_q, sizes_g = query_labels.sum(axis=1), gallery_labels.sum(axis=1)
    if (sizes_q == 0).any() or (sizes_g == 0).any():
        raise ValueError("F1 is defined between labelled patches only; one has no label")
    common = query_labels.astype(np.float64) @ gallery_labels.T.astype(np.float64)
    return np.asarray(2 * common / (sizes_q[:, None] + sizes_g[None, :]))


def rank(similarity: np.ndarray, excluded: np.ndarray, k: int) -> np.ndarray:
    """The k most similar gallery rows of each query, leaving out excluded ones; ties go to the lower row.

    Args:
        similarity: (queries, gallery).
        excluded: booleans of the same shape.
        k: rows wanted.

    Returns:
        Rows (queries, k).

    Raises:
        ValueError: a query has fewer than k rows to choose from.
    """
    fewest = int((~excluded).sum(axis=1).min())
    if k > fewest:
        raise ValueError(f"k is {k}, but a query has only {fewest} gallery patches to choose from")
    masked = np.where(excluded, -np.inf, similarity)
    return np.argsort(-masked, axis=1, kind="stable")[:, :k]


def f1_at_k(f1: np.ndarray, ranking: np.ndarray) -> np.ndarray:
    """F1@k by definition A (CR-JEPA supplement S3): the item-level F1, averaged over the top k.

    Args:
        f1: of every query with every gallery patch, (queries, gallery).
        ranking: gallery rows, (queries, k).

    Returns:
        One value a query; the reported figure is their mean.
    """
    return np.asarray(np.take_along_axis(f1, ranking, axis=1).mean(axis=1))


def chance_f1(f1: np.ndarray, excluded: np.ndarray) -> np.ndarray:
    """Exact expectation of F1@k, whatever k, of a ranking drawn at random.

    Each place of a random ranking is held by each allowed gallery patch with equal probability, so that the
    expectation of the mean over the top k is the mean over the gallery.

    Returns:
        One value a query.
    """
    allowed = ~excluded
    return np.asarray((f1 * allowed).sum(axis=1) / allowed.sum(axis=1))
