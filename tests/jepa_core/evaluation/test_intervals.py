import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core.evaluation import chance_draws, resampling
from jepa_core.evaluation.chance import chance
from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.intervals import figures, intervals
from jepa_core.evaluation.measured import COLUMNS
from jepa_core.evaluation.metrics import METRICS, measure, summarise, summary
from jepa_core.evaluation.resampling import RESAMPLES, resampled_counts, resampled_figures
from tests.jepa_core.evaluation.tasks import random_task


def some(values):
    """Columns that all hold the same values."""
    return dict.fromkeys(COLUMNS, np.asarray(values, float))


@given(st.integers(0, 100_000), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_figures_of_a_draw_are_those_of_the_queries_written_out(seed, queries):
    rng = np.random.default_rng(seed)
    columns = measure(random_task(seed, queries=queries, gallery=9, partners=0.6)).columns
    drawn = rng.integers(0, queries, (4, queries))
    counts = np.stack([np.bincount(row, minlength=queries) for row in drawn]).astype(float)
    found = resampled_figures(columns, list(METRICS.values()), counts)
    for row, of_draw in zip(drawn, found, strict=True):
        expected = summary({name: values[row] for name, values in columns.items()})
        for name, value in zip(METRICS, of_draw, strict=True):
            assert value == pytest.approx(expected.get(name, np.nan), nan_ok=True), name


def test_a_draw_takes_as_many_queries_as_there_are_whatever_the_blocks(monkeypatch):
    whole = np.concatenate(list(resampled_counts(7, np.random.default_rng(0))))
    assert whole.shape == (RESAMPLES, 7)
    assert (whole.sum(axis=1) == 7).all()
    monkeypatch.setattr(resampling, "_CELLS", 100)
    np.testing.assert_array_equal(np.concatenate(list(resampled_counts(7, np.random.default_rng(0)))), whole)


def test_of_one_query_both_ends_are_its_value():
    measured = measure(random_task(1, queries=1, gallery=30, partners=1, removed=0))
    values = summarise(measured)
    assert len(values) == len(METRICS)
    for name, ends in intervals([measured.columns], np.random.default_rng(0)).items():
        assert ends == pytest.approx((values[name], values[name]))


def test_the_interval_of_a_mean_is_about_two_standard_errors_to_each_side():
    values = np.random.default_rng(0).random(2000)
    low, high = intervals([some(values)], np.random.default_rng(1))["map"]
    error = values.std() / np.sqrt(2000)
    assert (values.mean() - low, high - values.mean()) == pytest.approx((1.96 * error, 1.96 * error), rel=0.15)


def test_95_of_100_intervals_hold_the_true_mean_and_median():
    rng = np.random.default_rng(2)
    held = {"map": 0, "partner_median_rank": 0}
    for _ in range(120):
        ends = intervals([some(rng.exponential(size=80))], rng)
        held["map"] += ends["map"][0] <= 1 <= ends["map"][1]
        held["partner_median_rank"] += ends["partner_median_rank"][0] <= np.log(2) <= ends["partner_median_rank"][1]
    assert all(0.87 <= count / 120 <= 0.985 for count in held.values()), held


def test_all_seeds_get_the_same_queries():
    """Two seeds whose means cancel for any draw: the interval is a point."""
    values = np.random.default_rng(3).random(50)
    low, high = intervals([some(values), some(1 - values)], np.random.default_rng(0))["map"]
    assert (low, high) == pytest.approx((0.5, 0.5))


def test_undefined_values_are_left_out_of_each_draw():
    values = np.full(40, np.nan)
    values[[3, 5]] = 0, 1
    assert intervals([some(values)], np.random.default_rng(0))["map"] == (0, 1)


def test_figures_hold_value_interval_chance_and_seeds_in_the_order_of_metrics(monkeypatch):
    monkeypatch.setattr(chance_draws, "_ERROR", 0.01)
    tasks = [random_task(4, queries=30, gallery=50), random_task(4, queries=30, gallery=50)]
    tasks[1].queries[:] = -tasks[1].queries
    measured = [measure(task) for task in tasks]
    summaries, floor = [summarise(of_seed) for of_seed in measured], chance(tasks[0])
    made = figures(measured, tasks[1], np.random.default_rng(0))
    assert [figure.metric for figure in made] == list(METRICS)
    for figure in made:
        assert figure.seeds == tuple(of_seed[figure.metric] for of_seed in summaries)
        assert figure.value == pytest.approx(np.mean(figure.seeds))
        assert figure.low <= figure.value <= figure.high
        assert figure.chance == floor[figure.metric]


def test_seeds_of_other_queries_or_none_are_refused():
    with pytest.raises(MetricsError, match=r"these have \[3, 4\]"):
        intervals([some([1, 2, 3]), some([1, 2, 3, 4])], np.random.default_rng(0))
    with pytest.raises(MetricsError, match=r"these have \[\]"):
        intervals([], np.random.default_rng(0))
