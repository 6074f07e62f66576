"""Figures with their bootstrap intervals over queries, of one seed or several."""

from collections.abc import Sequence

import numpy as np

from jepa_core.evaluation.chance import chance
from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.measured import Columns, Measured
from jepa_core.evaluation.metrics import METRICS, summary
from jepa_core.evaluation.resampling import resampled_counts, resampled_figures
from jepa_core.evaluation.results import Figure
from jepa_core.evaluation.retrieval import RetrievalTask

ENDS = (2.5, 97.5)
"""Percentiles of a 95 % interval."""


def intervals(seeds: Sequence[Columns], generator: np.random.Generator) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap intervals of each figure's mean over the seeds.

    Queries are drawn with replacement, 1,000 times, the same ones for all seeds; the gallery stays. The intervals
    therefore speak of other queries, not of other trainings.

    Args:
        seeds: values of the same queries, one a seed.
        generator: draws.

    Returns:
        By name in the order of `METRICS`, those that all seeds have. Of a single query both ends are the value.

    Raises:
        MetricsError: no seed, or not of the same queries.
    """
    lengths = sorted({len(values) for columns in seeds for values in columns.values()})
    if len(lengths) != 1 or lengths == [0]:
        raise MetricsError(f"seeds of one search have the same queries, one or more; these have {lengths}")
    summaries = [summary(columns) for columns in seeds]
    names = [name for name in METRICS if all(name in figures for figures in summaries)]
    metrics = [METRICS[name] for name in names]
    blocks = [
        np.mean([resampled_figures(columns, metrics, counts) for columns in seeds], axis=0)
        for counts in resampled_counts(lengths[0], generator)
    ]
    # A draw may miss the few queries that have a value.
    low, high = np.nanpercentile(np.concatenate(blocks), ENDS, axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}


def figures(
    measured_per_seed: Sequence[Measured], task: RetrievalTask, generator: np.random.Generator
) -> tuple[Figure, ...]:
    """All figures of one search, in the order of `METRICS`.

    Args:
        measured_per_seed: one or more; the seeds differ in vectors alone.
        task: of any of the seeds; its labels and partners say what chance gives.
        generator: draws queries for the intervals.

    Raises:
        MetricsError: no seed, or not of the same queries.
    """
    columns = [measured.columns for measured in measured_per_seed]
    ends = intervals(columns, generator)
    summaries = [summary(of_seed) for of_seed in columns]
    expected = chance(task)
    return tuple(
        Figure(
            metric=name,
            value=float(np.mean([of_seed[name] for of_seed in summaries])),
            low=low,
            high=high,
            chance=expected[name],
            seeds=tuple(of_seed[name] for of_seed in summaries),
        )
        for name, (low, high) in ends.items()
    )
