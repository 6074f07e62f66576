"""One retrieval task: which vectors search among which, and what counts as found."""

from dataclasses import dataclass

import numpy as np

KS = (1, 5, 10, 20)
"""Depths at which metrics are taken."""

NONE = -1
"""Stands where a query has no such gallery row."""


@dataclass(frozen=True)
class RetrievalTask:
    """Queries, gallery, labels of both. Arrays are checked where they are made; see `evaluation.metrics`."""

    queries: np.ndarray
    """Unit vectors, float32 (queries, dimension)."""

    gallery: np.ndarray
    """Unit vectors, float32 (gallery, dimension)."""

    query_labels: np.ndarray
    """Booleans (queries, classes), at least one true a row."""

    gallery_labels: np.ndarray
    """Booleans (gallery, classes), likewise."""

    left_out: np.ndarray
    """int64 (queries,): the gallery row that the query may not find (itself, or its paired patch), or `NONE`."""

    partner: np.ndarray
    """int64 (queries,): the gallery row of the query's paired patch, where that may be found, or `NONE`."""
