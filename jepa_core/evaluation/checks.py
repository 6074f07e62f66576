"""Makes sure that a retrieval task can be measured."""

import numpy as np

from jepa_core.errors import JepaError
from jepa_core.evaluation.retrieval import NONE, RetrievalTask
from jepa_core.vectors import DescriptorError, check_unit

_MOST_ROWS = 2**31
"""Gallery rows that a sort key holds, see `evaluation.ranking`."""


class MetricsError(JepaError):
    """What was to be measured or compared does not allow it."""


def check_task(task: RetrievalTask) -> None:
    """Makes sure that shapes fit, vectors are unit vectors, all patches have labels and every query can find one.

    Raises:
        MetricsError: something is not so; the message says what, and in how many rows.
    """
    sides = (("query", task.queries, task.query_labels), ("gallery", task.gallery, task.gallery_labels))
    for name, vectors, labels in sides:
        if vectors.ndim != 2 or not len(vectors):
            raise MetricsError(f"{name} vectors are of shape {vectors.shape}; one row or more and two axes are needed")
        if labels.ndim != 2 or len(labels) != len(vectors) or labels.dtype != bool:
            raise MetricsError(
                f"{name} labels are {labels.dtype} of shape {labels.shape}; booleans, a row for each of the "
                f"{len(vectors)} vectors, are needed"
            )
    _check_width("vectors", task.queries, task.gallery)
    _check_width("labels", task.query_labels, task.gallery_labels)
    for name, vectors, labels in sides:
        try:
            check_unit(vectors, f"{name} vectors")
        except DescriptorError as error:
            raise MetricsError(str(error)) from error
        _none_of(np.logical_not(labels.any(axis=1)), f"{name} patches have no label")
    _check_rows(task)


def _check_width(what: str, queries: np.ndarray, gallery: np.ndarray) -> None:
    if queries.shape[1] != gallery.shape[1]:
        raise MetricsError(f"{what} have {queries.shape[1]} columns in queries and {gallery.shape[1]} in the gallery")


def _check_rows(task: RetrievalTask) -> None:
    queries, gallery = len(task.queries), len(task.gallery)
    if gallery >= _MOST_ROWS:
        raise MetricsError(f"the gallery has {gallery} patches; {_MOST_ROWS - 1} can be ranked")
    for name, rows in (("left_out", task.left_out), ("partner", task.partner)):
        if rows.shape != (queries,) or not np.issubdtype(rows.dtype, np.integer):
            raise MetricsError(f"{name} is {rows.dtype} of shape {rows.shape}; a row number a query is needed")
        _none_of((rows < NONE) | (rows >= gallery), f"rows in {name} are not in the gallery of {gallery}")
    _none_of((task.partner != NONE) & (task.partner == task.left_out), "queries have their partner left out")
    _none_of((task.left_out != NONE) & (gallery == 1), "queries have nothing to find in a gallery of 1")


def _none_of(bad: np.ndarray, what: str) -> None:
    if bad.any():
        raise MetricsError(f"{int(bad.sum())} of {len(bad)} {what}")
