"""What was measured of one task, query by query, and the table that keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.retrieval import KS

PARTNER_KS = (1, 5, 10)
"""Ranks up to which a partner counts as found."""

Columns = Mapping[str, np.ndarray]
"""Values of queries by the names in `COLUMNS`: float64 (queries,), NaN where a value is undefined."""

COLUMNS = (
    *(
        f"{name}@{k}"
        for name in (
            *("label_precision", "label_recall", "f1_a", "f1_c"),
            *("precision", "recall", "map", "ndcg"),
        )
        for k in KS
    ),
    *("map", "r_precision", "partner_rank"),
    *(f"partner_recall@{k}" for k in PARTNER_KS),
)
"""`label_precision@k` and `label_recall@k` are means over the top k of |q and r| / |r| and |q and r| / |q|; of the
others see `metrics.METRICS`. `map` is the query's own average precision."""


@dataclass(frozen=True)
class Measured:
    """One task, one set of descriptors."""

    columns: Columns
    """Values of queries."""

    unanswerable: int
    """Queries without a relevant patch to find: recall, AP, R-precision and nDCG are means over the others."""

    top_rows: np.ndarray
    """int64 (queries, 20): gallery rows, nearest first; `NONE` where a query has no more to find."""

    top_cosines: np.ndarray
    """float32 (queries, 20): theirs; NaN likewise."""

    curve_ranks: np.ndarray
    """int64 (ranks,), some 60 from 1 to the number of patches a query chooses from, evenly in their logarithm."""

    curve_recall: np.ndarray
    """float64 (ranks,): share of the relevant patches found up to each, mean over queries that have some."""

    retrieved: np.ndarray
    """float64 (classes, classes): of queries with the row's class, the share of the five nearest that have the
    column's; NaN in rows of classes that no query has."""


def to_table(columns: Columns) -> pd.DataFrame:
    """Values of queries as a table, float32, a row a query in the task's order."""
    return pd.DataFrame({name: np.asarray(columns[name], np.float32) for name in COLUMNS})


def from_table(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Values of queries from such a table; further columns are left alone.

    Raises:
        MetricsError: columns are missing, or there is no row.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing or not len(table):
        what = f"lacks {len(missing)} columns, {missing[0]} first" if missing else "has no rows"
        raise MetricsError(f"the table of queries {what}; run the benchmark again")
    return {name: table[name].to_numpy(np.float64) for name in COLUMNS}
