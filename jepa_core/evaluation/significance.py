"""Whether one method beats another on the same queries: paired differences, permutation tests, Holm's correction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.intervals import ENDS
from jepa_core.evaluation.measured import COLUMNS, Columns
from jepa_core.evaluation.metrics import METRICS
from jepa_core.evaluation.resampling import resampled_counts

_ENUMERATED = 12
"""Queries up to which all 2^n swaps are tried."""

_PERMUTATIONS = 9_999
"""Random swaps beyond."""

SMALLEST_P = 1 / (_PERMUTATIONS + 1)
"""No test can give less: of n queries that differ, at least 2 of the 2^n swaps are as extreme as what was seen."""

_CELLS = 4_000_000
"""Swaps held at once, 32 MB."""

_TIE = 1e-12
"""Differences of differences that are rounding."""


@dataclass(frozen=True)
class Difference:
    """One metric of two methods on the same queries."""

    metric: str
    """Its name."""

    queries: int
    """Those for which it is defined."""

    first: float
    """Value of the first method."""

    second: float
    """Value of the second."""

    low: float
    """Lower end of the 95 % bootstrap interval over queries, of first less second."""

    high: float
    """Upper end."""

    p_value: float
    """Two-sided, of the hypothesis that for each query it is chance which method made which value."""

    @property
    def difference(self) -> float:
        """First less second."""
        return self.first - self.second


def compare(first: Columns, second: Columns, metric: str, generator: np.random.Generator) -> Difference:
    """Compares two methods by swapping their values query by query.

    For a mean this is the sign-flip test of the paired differences; for F1 by definition B, a query's label precision
    and recall are swapped together. Up to 12 queries that differ, all swaps are tried and the p-value is exact;
    beyond, 9,999 random ones, and it is (b + 1) / (m + 1).

    Args:
        first: values of queries by the first method.
        second: of the same queries, in the same order, by the second.
        metric: name of any but the median rank.
        generator: draws.

    Raises:
        MetricsError: no such test, or not the same queries.
    """
    known = METRICS.get(metric)
    if known is None or known.statistic == "median":
        possible = ", ".join(name for name, other in METRICS.items() if other.statistic != "median")
        raise MetricsError(f"no test of {metric}; there is one of {possible}")
    one, other = (np.stack([columns[name] for name in known.columns], axis=1) for columns in (first, second))
    if one.shape != other.shape or not np.array_equal(np.isnan(one), np.isnan(other)):
        raise MetricsError(f"{metric}: the two methods were not measured on the same queries and gallery")
    defined = ~np.isnan(one).any(axis=1)
    one, other = one[defined], other[defined]
    if not len(one):
        raise MetricsError(f"{metric} is defined for none of {len(defined)} queries")
    resampled = np.concatenate(
        [
            known.of_means(counts @ one / len(one)) - known.of_means(counts @ other / len(one))
            for counts in resampled_counts(len(one), generator)
        ]
    )
    low, high = np.percentile(resampled, ENDS)
    means = one.mean(axis=0), other.mean(axis=0)
    return Difference(
        metric=metric,
        queries=len(one),
        first=float(known.of_means(means[0])),
        second=float(known.of_means(means[1])),
        low=float(low),
        high=float(high),
        p_value=_p_value(one, other, metric, generator),
    )


def _p_value(first: np.ndarray, second: np.ndarray, metric: str, generator: np.random.Generator) -> float:
    """Share of swaps whose difference is no smaller than the one seen; values (queries, columns)."""
    known, means = METRICS[metric], (first.mean(axis=0), second.mean(axis=0))
    seen = abs(known.of_means(means[0]) - known.of_means(means[1]))
    moves = (second - first) / len(first)
    # Swapping equal values changes nothing.
    moves = moves[(moves != 0).any(axis=1)]
    tried, extreme = 0, 0
    for swaps in _swaps(len(moves), generator):
        moved = swaps @ moves
        differences = np.abs(known.of_means(means[0] + moved) - known.of_means(means[1] - moved))
        tried += len(swaps)
        extreme += int((differences >= seen - _TIE).sum())
    if len(moves) <= _ENUMERATED:
        return extreme / tried
    return (extreme + 1) / (tried + 1)


def _swaps(queries: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Which queries are swapped, float64 (tries, queries) of 0 and 1, in blocks."""
    if queries <= _ENUMERATED:
        yield (np.arange(2**queries)[:, None] >> np.arange(queries) & 1).astype(np.float64)
        return
    step = max(1, _CELLS // queries)
    for start in range(0, _PERMUTATIONS, step):
        tries = min(step, _PERMUTATIONS - start)
        bits = np.frombuffer(generator.bytes(tries * -(-queries // 8)), np.uint8).reshape(tries, -1)
        yield np.unpackbits(bits, axis=1, count=queries).astype(np.float64)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values of several comparisons, corrected so that the chance of any false finding keeps to their level.

    Source: Holm 1979. The i-th smallest of m, from 0, is multiplied by m - i; none is smaller than one before it.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1)
    return tuple(corrected.tolist())


def over_seeds(seeds: Sequence[Columns]) -> dict[str, np.ndarray]:
    """A method's values of queries, mean over its seeds, for `compare`.

    Means of these are the means over seeds; F1 by definition B is then that of the mean label precision and recall.

    Raises:
        MetricsError: no seed, or not of the same queries.
    """
    if len({len(columns[COLUMNS[0]]) for columns in seeds}) != 1:
        raise MetricsError("seeds of one search have the same queries; these do not")
    return {name: np.mean([columns[name] for columns in seeds], axis=0) for name in COLUMNS}
