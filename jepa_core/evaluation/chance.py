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
    others = np.divide(some - 1, size - 1, out=np.zeros_like(size), where=size > 1)
    upto = np.concatenate([[0], np.cumsum(1 / np.arange(1, found.size.max() + 1))])
    gain, ideal = found.at_least.sum(axis=1) / size, ideal_dcg(found)

    def average_precision(ranks: np.ndarray, most: np.ndarray) -> np.ndarray:
        return np.asarray(share * (upto[ranks] + others * (ranks - upto[ranks])) / most)

    columns = {"map": average_precision(found.size, some), "r_precision": some / size}
    for k in KS:
        taken = np.minimum(k, found.size)
        columns[f"f1_a@{k}"] = found.f1
        columns[f"precision@{k}"] = share
        columns[f"recall@{k}"] = np.where(relevant > 0, taken / size, np.nan)
        columns[f"map@{k}"] = average_precision(taken, np.minimum(some, k))
        dcg = gain * np.cumsum(DISCOUNTS)[np.minimum(taken, len(DISCOUNTS)) - 1]
        columns[f"ndcg@{k}"] = dcg / np.where(relevant > 0, ideal[:, k - 1], np.nan)
    return columns
