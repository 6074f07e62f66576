"""Retrieval metrics: what they are, and measuring them exactly.

Sources: F1 by definition A, precision and average precision of single labels: CR-JEPA supplement S3; definition B: the
CSMAE authors' code; definition C: DX-JEPA; nDCG: Jaervelin and Kekaelaeinen 2002.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jepa_core.evaluation.checks import check_task
from jepa_core.evaluation.label_sets import findable
from jepa_core.evaluation.measured import PARTNER_KS, Columns, Measured
from jepa_core.evaluation.ranking import rank_all
from jepa_core.evaluation.retrieval import KS, RetrievalTask
from jepa_core.evaluation.top import harmonic, retrieved_classes, top_columns

_CURVE = 60
_RETRIEVED = 5


@dataclass(frozen=True)
class Metric:
    """One figure of a whole set of queries."""

    columns: tuple[str, ...]
    """Values of queries that it is made of."""

    statistic: Literal["mean", "harmonic", "median"]
    """Mean of one column; harmonic mean of the means of two; median of one. Undefined values are left out."""

    def of_means(self, means: np.ndarray) -> np.ndarray:
        """The figure from means of its columns, (..., columns) to (...); not of a median."""
        return np.asarray(means[..., 0] if self.statistic == "mean" else harmonic(means[..., 0], means[..., 1]))


_AT_K = ("f1_a", "f1_b", "f1_c", "precision", "recall", "map", "ndcg")


def _metrics() -> dict[str, Metric]:
    metrics = {}
    for name in _AT_K:
        for k in KS:
            if name == "f1_b":
                metrics[f"{name}@{k}"] = Metric((f"label_precision@{k}", f"label_recall@{k}"), "harmonic")
            else:
                metrics[f"{name}@{k}"] = Metric((f"{name}@{k}",), "mean")
    for name in ("map", "r_precision", *(f"partner_recall@{k}" for k in PARTNER_KS)):
        metrics[name] = Metric((name,), "mean")
    metrics["partner_median_rank"] = Metric(("partner_rank",), "median")
    return metrics


METRICS: Mapping[str, Metric] = _metrics()
"""By name, in the order of reports; `definitions` has them in words. A patch is relevant if it shares a label with the
query. Where k exceeds what a query has to find, all of it is taken and means are over what there is. With one label a
patch, F1 is precision."""


def measure(task: RetrievalTask) -> Measured:
    """Ranks the whole gallery for each query, exactly; equal cosines (to 1e-9) in ascending order of rows.

    Takes memory for two blocks of some 60 MB and some 1 KB a query, whatever the sizes.

    Raises:
        MetricsError: the task's arrays are not what they should be; the message says which and in how many rows.
    """
    check_task(task)
    found = findable(task)
    curve_ranks = np.unique(np.geomspace(1, found.size.max(), _CURVE).round().astype(np.int64))
    ranked = rank_all(task, found, curve_ranks)
    columns = top_columns(task, ranked.rows, found)
    columns |= {"map": ranked.average_precision, "r_precision": ranked.r_precision}
    columns["partner_rank"] = ranked.partner_rank
    for k in PARTNER_KS:
        columns[f"partner_recall@{k}"] = np.where(np.isnan(ranked.partner_rank), np.nan, ranked.partner_rank <= k)
    return Measured(
        columns=columns,
        unanswerable=int((found.relevant == 0).sum()),
        top_rows=ranked.rows,
        top_cosines=ranked.cosines,
        curve_ranks=curve_ranks,
        curve_recall=ranked.recall,
        retrieved=retrieved_classes(task, ranked.rows, found, _RETRIEVED),
    )


def summarise(measured: Measured) -> dict[str, float]:
    """Figures by name in the order of `METRICS`, without those that are defined for no query."""
    return summary(measured.columns)


def summary(columns: Columns) -> dict[str, float]:
    """The same from values of queries alone, as tables keep them."""
    figures = {}
    for name, metric in METRICS.items():
        values = np.stack([columns[column] for column in metric.columns], axis=1)
        values = values[~np.isnan(values).any(axis=1)]
        if len(values):
            median = metric.statistic == "median"
            figures[name] = float(np.median(values) if median else metric.of_means(values.mean(axis=0)))
    return figures
