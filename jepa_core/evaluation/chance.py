"""What a ranking drawn at random is expected to reach: the floor that figures are read against.

With N patches to find, R of them relevant, all orders being equally likely: each rank holds each patch with
probability 1/N, so that means over the top k have the mean over the gallery as expectation. Rank i is relevant with
probability R/N, and then each of the i - 1 before it with (R-1)/(N-1): the precision there is expected to be
(1 + (i-1) (R-1)/(N-1)) / i, whose sum over i gives average precision through harmonic numbers.
"""

import numpy as np

from jepa_core.evaluation.chance_draws import simulate
from jepa_core.evaluation.checks import check_task
from jepa_core.evaluation.label_sets import Findable, findable
from jepa_core.evaluation.measured import PARTNER_KS
from jepa_core.evaluation.metrics import METRICS
from jepa_core.evaluation.retrieval import KS, NONE, RetrievalTask
from jepa_core.evaluation.top import DISCOUNTS, ideal_dcg

_MEDIAN = "partner_median_rank"


def chance(task: RetrievalTask, seed: int = 0) -> dict[str, float]:
    """Expected figures of a random ranking, independent for each query, left-out rows never ranked.

    Exact but for `simulated_metrics`, whose standard error is below 0.0005 (of the median rank: below 0.0005 of the
    gallery). Vectors play no part.

    Args:
        task: of which labels, left-out rows and partners count.
        seed: of the simulation.

    Returns:
        By name in the order of `METRICS`, those that `metrics.summarise` has.

    Raises:
        MetricsError: as `metrics.measure`.
    """
    check_task(task)
    found = findable(task)
    expected = {name: float(np.nanmean(values)) for name, values in _exact(found).items() if not np.isnan(values).all()}
    size = found.size[task.partner != NONE]
    if len(size):
        expected |= {f"partner_recall@{k}": float((np.minimum(k, size) / size).mean()) for k in PARTNER_KS}
        # Ranks lie evenly about the middle, and so does their median.
        expected[_MEDIAN] = float((size[0] + 1) / 2)
    # With one label a patch all three F1 are precision; with k = 1, C is A.
    expected |= {f"{name}@{k}": expected[f"f1_a@{k}"] for name in ("f1_b", "f1_c") for k in KS}
    expected |= simulate(task, found, simulated_metrics(task), np.random.default_rng(seed))
    return {name: expected[name] for name in METRICS if name in expected}


def expected_f1(task: RetrievalTask) -> np.ndarray:
    """F1 by definition A that each query is expected to reach at any k, float64 (queries,)."""
    return np.asarray(findable(task).f1)


def expected_average_precision(relevant: int, size: int) -> float:
    """Of a random ranking of `size` patches, at least one of them relevant."""
    upto = np.concatenate([[0], np.cumsum(1 / np.arange(1, size + 1))])
    ends = np.array([relevant], np.float64), np.array([size], np.float64)
    return float(_precisions(*ends, upto, np.array([size]))[0] / relevant)


def simulated_metrics(task: RetrievalTask) -> tuple[str, ...]:
    """Metrics whose expectation is estimated from random draws, in the order of `METRICS`.

    F1 by definitions B and C is not linear in what is drawn: where any patch has several labels there is no closed
    form, but of C at k = 1, which is A. Nor is there of a median over galleries of different sizes.
    """
    names: set[str] = set()
    if (task.query_labels.sum(axis=1) > 1).any() or (task.gallery_labels.sum(axis=1) > 1).any():
        names = {f"{name}@{k}" for name in ("f1_b", "f1_c") for k in KS} - {"f1_c@1"}
    if len(np.unique(task.left_out[task.partner != NONE] != NONE)) > 1:
        names.add(_MEDIAN)
    return tuple(name for name in METRICS if name in names)


def _exact(found: Findable) -> dict[str, np.ndarray]:
    """Expectations in closed form, float64 (queries,)."""
    size, relevant = found.size.astype(np.float64), found.relevant
    some = np.where(relevant > 0, relevant, np.nan)
    share = relevant / size
    upto = np.concatenate([[0], np.cumsum(1 / np.arange(1, found.size.max() + 1))])
    gain, ideal = found.at_least.sum(axis=1) / size, ideal_dcg(found)

    columns = {"map": _precisions(some, size, upto, found.size) / some, "r_precision": some / size}
    for k in KS:
        taken = np.minimum(k, found.size)
        columns[f"f1_a@{k}"] = found.f1
        columns[f"precision@{k}"] = share
        columns[f"recall@{k}"] = np.where(relevant > 0, taken / size, np.nan)
        columns[f"map@{k}"] = _precisions(some, size, upto, taken) / np.minimum(some, k)
        dcg = gain * np.cumsum(DISCOUNTS)[np.minimum(taken, len(DISCOUNTS)) - 1]
        columns[f"ndcg@{k}"] = dcg / np.where(relevant > 0, ideal[:, k - 1], np.nan)
    return columns


def _precisions(relevant: np.ndarray, size: np.ndarray, upto: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Expected sum of the precisions at relevant ranks up to `ranks`, float64 (queries,).

    Args:
        relevant: how many are relevant, (queries,).
        size: of how many, (queries,).
        upto: harmonic numbers, from 0 on.
        ranks: int64 (queries,).
    """
    others = np.divide(relevant - 1, size - 1, out=np.zeros_like(size), where=size > 1)
    return np.asarray(relevant / size * (upto[ranks] + others * (ranks - upto[ranks])))
