import itertools

import numpy as np
import pytest
from scipy.stats import permutation_test

from jepa_core.evaluation import resampling, significance
from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.measured import COLUMNS
from jepa_core.evaluation.metrics import METRICS, measure, summarise
from jepa_core.evaluation.significance import compare, holm, over_seeds
from tests.jepa_core.evaluation.slow_metrics import harmonic
from tests.jepa_core.evaluation.tasks import random_task, unit


def some(values, **others):
    return dict.fromkeys(COLUMNS, np.asarray(values, float)) | others


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("queries", [1, 2, 7, 12])
def test_the_p_value_of_few_queries_is_that_of_all_sign_flips(queries):
    first, second = rng(1).random(queries), rng(2).random(queries) * 0.8
    seen = abs((first - second).mean())
    flips = [abs((signs * (first - second)).mean()) for signs in itertools.product([1, -1], repeat=queries)]
    expected = np.mean([flip >= seen - 1e-12 for flip in flips])
    assert compare(some(first), some(second), "map", rng()).p_value == pytest.approx(expected)


def test_the_p_value_of_few_queries_is_scipy_s():
    first, second = rng(3).random(10), rng(4).random(10) * 0.7
    expected = permutation_test(
        (first, second), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples", vectorized=True
    )
    assert compare(some(first), some(second), "ndcg@5", rng()).p_value == pytest.approx(expected.pvalue)


def test_f1_b_swaps_label_precision_and_recall_together():
    values = rng(5).random((2, 2, 6)) * np.array([[[1]], [[0.6]]])
    columns = [some(np.ones(6), **{"label_precision@5": p, "label_recall@5": r}) for p, r in values]

    def b(of_method):
        return harmonic(*of_method.mean(axis=1))

    seen, extreme = b(values[0]) - b(values[1]), 0
    for swaps in itertools.product([False, True], repeat=6):
        swapped = np.where(swaps, values[::-1], values)
        extreme += abs(b(swapped[0]) - b(swapped[1])) >= abs(seen) - 1e-12
    found = compare(*columns, "f1_b@5", rng())
    assert found.p_value == pytest.approx(extreme / 64)
    assert found.difference == pytest.approx(seen)
    assert found.low < seen < found.high


def test_many_random_swaps_are_near_the_exact_p_value(monkeypatch):
    first, second = rng(6).random(12), rng(7).random(12) * 0.8
    exact = compare(some(first), some(second), "map", rng()).p_value
    monkeypatch.setattr(significance, "_ENUMERATED", 3)
    drawn = compare(some(first), some(second), "map", rng()).p_value
    assert drawn == pytest.approx(exact, abs=0.02)
    assert drawn * 10_000 == pytest.approx(round(drawn * 10_000))


def test_a_clear_difference_of_many_queries_has_the_least_p_value_there_is():
    values = rng(8).random(300)
    found = compare(some(values + 0.1), some(values), "map", rng())
    assert found.p_value == 1 / 10_000
    assert (found.difference, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.queries == 300


def test_equal_methods_do_not_differ():
    values = rng(9).random(40)
    found = compare(some(values), some(values), "f1_b@10", rng())
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_without_a_difference_p_values_are_uniform():
    draws = rng(10)
    p = np.sort([compare(some(draws.random(9)), some(draws.random(9)), "map", draws).p_value for _ in range(300)])
    # Kolmogorov's distance at 1 %, and the steps of 2^9 swaps.
    assert np.abs(p - np.arange(1, 301) / 301).max() < 1.63 / np.sqrt(300) + 2 / 2**9


def test_95_of_100_intervals_hold_the_true_difference():
    draws, held = rng(11), 0
    for _ in range(150):
        base = draws.random(60)
        found = compare(some(base + draws.normal(0.1, 0.2, 60)), some(base), "map", draws)
        held += found.low <= 0.1 <= found.high
    assert 0.88 <= held / 150 <= 0.99


def test_differences_of_measured_methods_are_those_of_their_summaries():
    one = random_task(12, queries=40, gallery=30)
    other = random_task(12, queries=40, gallery=30)
    other.queries[:] = unit(rng(1), 40)
    first, second = measure(one), measure(other)
    for name, metric in METRICS.items():
        if metric.statistic != "median":
            found = compare(first.columns, second.columns, name, rng())
            assert found.first == pytest.approx(summarise(first)[name])
            assert found.second == pytest.approx(summarise(second)[name])
            back = compare(second.columns, first.columns, name, rng())
            assert back.p_value == pytest.approx(found.p_value)
            assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_undefined_queries_count_for_neither():
    first, second = rng(13).random(8), rng(14).random(8)
    whole = compare(some(first), some(second), "map", rng())
    gaps = [np.append(values, np.nan) for values in (first, second)]
    assert compare(some(gaps[0]), some(gaps[1]), "map", rng()) == whole


def test_blocks_change_nothing(monkeypatch):
    first, second = rng(15).random(50), rng(16).random(50)
    whole = compare(some(first), some(second), "map", rng())
    monkeypatch.setattr(resampling, "_CELLS", 500)
    monkeypatch.setattr(significance, "_CELLS", 5000)
    parts = compare(some(first), some(second), "map", rng())
    assert (parts.low, parts.high, parts.p_value) == pytest.approx((whole.low, whole.high, whole.p_value))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(MetricsError, match="no test of partner_median_rank; there is one of f1_a@1"):
        compare(some([1]), some([1]), "partner_median_rank", rng())
    with pytest.raises(MetricsError, match="no test of f2"):
        compare(some([1]), some([1]), "f2", rng())
    for other in ([1], [1, np.nan]):
        with pytest.raises(MetricsError, match="not measured on the same queries"):
            compare(some([1, 2]), some(other), "map", rng())
    with pytest.raises(MetricsError, match="defined for none of 2 queries"):
        compare(some([np.nan] * 2), some([np.nan] * 2), "map", rng())
    with pytest.raises(MetricsError, match="seeds of one search"):
        over_seeds([some([1]), some([1, 2])])


def test_holm_multiplies_the_least_most():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.9]) == (1, 1)
    assert holm([0.2]) == (0.2,)
    assert holm([]) == ()


def test_values_over_seeds_are_means_query_by_query():
    mean = over_seeds([some([0, 1, np.nan]), some([1, 2, np.nan])])
    np.testing.assert_array_equal(mean["map"], [0.5, 1.5, np.nan])
    assert set(mean) == set(COLUMNS)
