"""Bootstrap over queries: which are drawn how often, and figures of such draws."""

from collections.abc import Iterator, Sequence

import numpy as np

from jepa_core.evaluation.measured import Columns
from jepa_core.evaluation.metrics import Metric

RESAMPLES = 1_000

_CELLS = 4_000_000
"""Counts held at once, 32 MB."""


def resampled_counts(queries: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each query is drawn in 1,000 draws of as many queries with replacement.

    Yields:
        Blocks of draws, float64 (draws, queries).
    """
    step = max(1, _CELLS // queries)
    for start in range(0, RESAMPLES, step):
        draws = min(step, RESAMPLES - start)
        drawn = generator.integers(0, queries, (draws, queries)) + np.arange(draws)[:, None] * queries
        yield np.bincount(drawn.reshape(-1), minlength=draws * queries).reshape(draws, queries).astype(np.float64)


def resampled_figures(columns: Columns, metrics: Sequence[Metric], counts: np.ndarray) -> np.ndarray:
    """Figures of a block of draws.

    Args:
        columns: values of queries.
        metrics: which figures.
        counts: (draws, queries).

    Returns:
        float64 (draws, metrics), NaN where no query of a draw has a value.
    """
    names = sorted({name for metric in metrics if metric.statistic != "median" for name in metric.columns})
    figures = np.empty((len(counts), len(metrics)))
    means = np.empty((len(counts), len(names)))
    if names:
        values = np.stack([columns[name] for name in names], axis=1)
        defined = ~np.isnan(values)
        weights = counts @ defined.astype(np.float64)
        means = (counts @ np.where(defined, values, 0)) / np.where(weights > 0, weights, np.nan)
    for column, metric in enumerate(metrics):
        if metric.statistic == "median":
            figures[:, column] = _medians(columns[metric.columns[0]], counts)
        else:
            figures[:, column] = metric.of_means(means[:, [names.index(name) for name in metric.columns]])
    return figures


def _medians(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]
    if not len(order):
        return np.full(len(counts), np.nan)
    upto = np.cumsum(counts[:, order], axis=1)
    total = upto[:, -1]
    # Of n values in order, the mean of those numbered (n-1)//2 and n//2 from 0.
    low, high = ((upto > half[:, None]).argmax(axis=1) for half in ((total - 1) // 2, total // 2))
    middle = (values[order[low]] + values[order[high]]) / 2
    return np.where(total > 0, middle, np.nan)
