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

    higher_is_better: bool
    """Else lower."""

    description: str
    """One plain sentence for readers."""

    def of_means(self, means: np.ndarray) -> np.ndarray:
        """The figure from means of its columns, (..., columns) to (...); not of a median."""
        return np.asarray(means[..., 0] if self.statistic == "mean" else harmonic(means[..., 0], means[..., 1]))


_AT_K = {
    "f1_a": "F1 of the query's labels and each patch's, mean over the nearest {k} and over queries (A, as CR-JEPA).",
    "f1_b": "Label precision and recall, each a mean over the nearest {k} and all queries, as one F1 (B, as CSMAE).",
    "f1_c": "F1 of each query's mean label precision and recall over the nearest {k}, mean over queries (C).",
    "precision": "Share of the nearest {k} that have a label of the query.",
    "recall": "Share found in the nearest {k} of all patches that have a label of the query.",
    "map": "Precision at each relevant patch in the nearest {k}, over the most that could be relevant there.",
    "ndcg": "Labels shared with the nearest {k}, earlier ranks counting more, over those of the best order.",
}


def _metrics() -> dict[str, Metric]:
    metrics = {}
    for name, text in _AT_K.items():
        for k in KS:
            own = (f"label_precision@{k}", f"label_recall@{k}") if name == "f1_b" else (f"{name}@{k}",)
            statistic: Literal["mean", "harmonic"] = "harmonic" if name == "f1_b" else "mean"
            metrics[f"{name}@{k}"] = Metric(own, statistic, True, text.format(k=k))
    metrics["map"] = Metric(("map",), "mean", True, "Precision at each relevant patch, mean over the whole gallery's.")
    metrics["r_precision"] = Metric(
        ("r_precision",), "mean", True, "Precision of as many of the nearest as there are relevant patches."
    )
    for k in PARTNER_KS:
        own = (f"partner_recall@{k}",)
        metrics[own[0]] = Metric(own, "mean", True, f"Share of queries whose paired patch is among the nearest {k}.")
    metrics["partner_median_rank"] = Metric(("partner_rank",), "median", False, "Median rank of the paired patch.")
    return metrics


METRICS: Mapping[str, Metric] = _metrics()
"""By name, in the order of reports. A patch is relevant if it shares a label with the query. Where k exceeds what a
query has to find, all of it is taken and means are over what there is. With one label a patch, F1 is precision."""


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
