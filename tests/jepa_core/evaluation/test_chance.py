import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core.evaluation import chance_draws
from jepa_core.evaluation.chance import chance, simulated_metrics
from jepa_core.evaluation.chance_draws import random_rows
from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.metrics import METRICS, measure, summarise
from jepa_core.evaluation.retrieval import KS, NONE, RetrievalTask
from tests.jepa_core.evaluation.slow_metrics import sets, slow_query, slow_summary
from tests.jepa_core.evaluation.tasks import labels, random_task, single_labels, unit

SIMULATED = tuple(name for name in METRICS if name.startswith(("f1_b", "f1_c")) and name != "f1_c@1")


def over_all_orders(task):
    """For each query, its values in every order of the gallery: name to list of arrays (orders,)."""
    q, g = sets(task.query_labels), sets(task.gallery_labels)
    columns = {}
    for query in range(len(q)):
        rows = [row for row in range(len(g)) if row != task.left_out[query]]
        values = [
            slow_query(
                q[query],
                [g[row] for row in order],
                order.index(task.partner[query]) if task.partner[query] != NONE else None,
            )
            for order in itertools.permutations(rows)
        ]
        for name in values[0]:
            columns.setdefault(name, []).append(np.array([value[name] for value in values]))
    return columns


@given(
    st.integers(0, 100_000),
    st.integers(1, 5),
    st.sampled_from([labels, single_labels]),
    st.sampled_from([0, 0.5, 1]),
)
@settings(max_examples=20, deadline=None)
def test_the_closed_forms_are_means_over_all_orders(seed, gallery, kind, removed):
    task = random_task(seed, queries=2, gallery=gallery, kind=kind, removed=removed, classes=4)
    expected = slow_summary({n: np.array([v.mean() for v in of_q]) for n, of_q in over_all_orders(task).items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chance_draws, "_ERROR", 1)
        floor, simulated = chance(task), simulated_metrics(task)
    assert set(floor) == set(summarise(measure(task)))
    assert list(floor) == [name for name in METRICS if name in floor]
    for name, value in floor.items():
        # Of medians and B, the expectation is not that of expectations.
        if name not in simulated and name != "partner_median_rank":
            assert value == pytest.approx(expected[name], abs=1e-12), name


def test_b_and_c_of_several_labels_are_means_over_all_orders_of_all_queries():
    task = random_task(11, queries=2, gallery=4, removed=0.5, partners=1, classes=5)
    assert (task.query_labels.sum(axis=1) > 1).any()
    orders = over_all_orders(task)
    floor = chance(task)
    assert set(simulated_metrics(task)) >= set(SIMULATED)
    for k in KS:
        together = itertools.product(
            zip(orders[f"label_precision@{k}"][0], orders[f"label_recall@{k}"][0], strict=True),
            zip(orders[f"label_precision@{k}"][1], orders[f"label_recall@{k}"][1], strict=True),
        )
        means = np.array([np.mean(both, axis=0) for both in together])
        b = 2 * means.prod(axis=1) / np.maximum(means.sum(axis=1), 1e-300)
        assert floor[f"f1_b@{k}"] == pytest.approx(b.mean(), abs=0.002)
        c = np.mean([values.mean() for values in orders[f"f1_c@{k}"]])
        assert floor[f"f1_c@{k}"] == pytest.approx(c, abs=0.002)


@pytest.mark.parametrize("removed", [0, 0.5, 1])
def test_the_median_rank_of_partners_is_the_mean_over_all_ranks(removed):
    task = random_task(2, queries=3, gallery=9, removed=removed, partners=1)
    sizes = [9 - (out != NONE) for out, partner in zip(task.left_out, task.partner, strict=True) if partner != NONE]
    medians = [np.median(ranks) for ranks in itertools.product(*(range(1, size + 1) for size in sizes))]
    name = "partner_median_rank"
    assert (name in simulated_metrics(task)) == (len(set(sizes)) > 1)
    assert chance(task)[name] == pytest.approx(np.mean(medians), abs=0.002 * 9)


@pytest.mark.parametrize("kind", [labels, single_labels])
def test_what_random_vectors_reach_is_about_chance(kind):
    """150 searches of 40 queries among 200 patches; five standard errors."""
    rng = np.random.default_rng(7)
    task = random_task(7, queries=40, gallery=200, kind=kind, classes=6)
    floor = chance(task)
    values = {name: [] for name in floor}
    for _ in range(150):
        # A query of its own direction each time, high dimension: ranks are nearly independent between queries.
        drawn = replace(task, queries=unit(rng, 40, 60), gallery=unit(rng, 200, 60))
        for name, value in summarise(measure(drawn)).items():
            values[name].append(value)
    for name, found in values.items():
        error = np.std(found) / np.sqrt(len(found)) + (0.0005 if name in SIMULATED else 0)
        assert abs(np.mean(found) - floor[name]) < 5 * error + 1e-9, name


def test_one_label_a_patch_needs_no_simulation_and_two_do():
    task = random_task(0, kind=single_labels, partners=0)
    assert simulated_metrics(task) == ()
    floor = chance(task)
    for k in KS:
        assert floor[f"f1_a@{k}"] == floor[f"f1_b@{k}"] == floor[f"f1_c@{k}"] == floor["precision@1"]
    two = task.gallery_labels.copy()
    two[0] = True
    assert simulated_metrics(replace(task, gallery_labels=two)) == SIMULATED


def test_the_simulation_is_the_same_each_time_and_seeds_differ_by_little(monkeypatch):
    monkeypatch.setattr(chance_draws, "_ERROR", 0.001)
    task = random_task(4, queries=30, gallery=100)
    first, second = chance(task), chance(task, seed=1)
    assert chance(task) == first
    assert first != second
    for name in first:
        assert first[name] == pytest.approx(second[name], abs=0.006 * (100 if "median" in name else 1)), name


def test_a_class_of_a_tenth_gives_a_tenth():
    rng = np.random.default_rng(0)
    task = RetrievalTask(
        queries=unit(rng, 10),
        gallery=unit(rng, 1000),
        query_labels=np.eye(10, dtype=bool),
        gallery_labels=np.tile(np.eye(10, dtype=bool), (100, 1)),
        left_out=np.full(10, NONE),
        partner=np.arange(10),
    )
    floor = chance(task)
    assert floor["precision@5"] == floor["r_precision"] == pytest.approx(0.1)
    assert floor["recall@20"] == pytest.approx(0.02)
    assert floor["ndcg@20"] == pytest.approx(0.1)
    assert floor["partner_recall@10"] == pytest.approx(0.01)
    assert floor["partner_median_rank"] == 500.5
    # Average precision of few relevant patches is above their share.
    assert 0.1 < floor["map"] < 0.11


def test_random_rows_are_every_order_equally_often():
    rng = np.random.default_rng(0)
    left_out = np.repeat([NONE, 2], 60_000)
    drawn = np.stack(list(random_rows(left_out, 4, 3, rng)), axis=1)
    for of, rows in ((drawn[:60_000], [0, 1, 2, 3]), (drawn[60_000:], [0, 1, 3])):
        orders, times = np.unique(of, axis=0, return_counts=True)
        expected = list(itertools.permutations(rows, 3))
        assert [tuple(order) for order in orders.tolist()] == expected
        share = 60_000 / len(expected)
        assert (np.abs(times - share) < 5 * np.sqrt(share)).all()


def test_what_cannot_be_measured_has_no_chance():
    task = random_task(0)
    with pytest.raises(MetricsError, match="have no label"):
        chance(replace(task, query_labels=np.zeros_like(task.query_labels)))
