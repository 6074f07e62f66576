from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from jepa_core.evaluation import ranking
from jepa_core.evaluation.checks import MetricsError
from jepa_core.evaluation.label_sets import label_bits, shared
from jepa_core.evaluation.measured import COLUMNS, from_table, to_table
from jepa_core.evaluation.metrics import METRICS, measure, summarise, summary
from jepa_core.evaluation.retrieval import KS, NONE, RetrievalTask
from tests.jepa_core.evaluation.slow_metrics import slow_columns, slow_order, slow_summary
from tests.jepa_core.evaluation.tasks import labels, random_task, single_labels, unit

tasks = st.builds(
    random_task,
    st.integers(0, 100_000),
    queries=st.integers(1, 7),
    gallery=st.integers(1, 40),
    classes=st.integers(1, 9),
    kind=st.sampled_from([labels, single_labels]),
    removed=st.sampled_from([0, 0.5, 1]),
    partners=st.sampled_from([0, 0.5, 1]),
    ties=st.sampled_from([0, 10]),
)


def nothing(count):
    return np.full(count, NONE)


def one_dimension(query_labels, gallery_labels, cosines, left_out=None, partner=None):
    """Every query sees the gallery at the same cosines."""
    angle = np.arccos(np.asarray(cosines))
    count = len(query_labels)
    return RetrievalTask(
        queries=np.tile(np.array([[1, 0]], np.float32), (count, 1)),
        gallery=np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32),
        query_labels=np.asarray(query_labels, bool),
        gallery_labels=np.asarray(gallery_labels, bool),
        left_out=nothing(count) if left_out is None else np.asarray(left_out),
        partner=nothing(count) if partner is None else np.asarray(partner),
    )


@given(tasks)
@settings(max_examples=80, deadline=None)
def test_every_value_is_that_of_loops_over_sets(task):
    measured, slow = measure(task), slow_columns(task)
    assert set(measured.columns) == set(COLUMNS) == set(slow)
    for name in COLUMNS:
        np.testing.assert_allclose(measured.columns[name], slow[name], atol=1e-12, err_msg=name)
    assert measured.unanswerable == np.isnan(slow["map"]).sum()
    figures, expected = summarise(measured), slow_summary(slow)
    assert set(figures) == set(expected)
    assert list(figures) == [name for name in METRICS if name in figures]
    for name, value in figures.items():
        assert value == pytest.approx(expected[name], abs=1e-12), name


@given(tasks)
@settings(max_examples=30, deadline=None)
def test_the_nearest_are_those_of_a_plain_sort_and_no_others(task):
    measured = measure(task)
    for query in range(len(task.queries)):
        order = slow_order(task, query)[:20]
        assert measured.top_rows[query].tolist() == order + [NONE] * (20 - len(order))
        np.testing.assert_allclose(
            measured.top_cosines[query, : len(order)], task.gallery[order] @ task.queries[query], atol=1e-6
        )
        assert np.isnan(measured.top_cosines[query, len(order) :]).all()


@given(tasks)
@settings(max_examples=30, deadline=None)
def test_definition_a_is_least_and_b_is_most(task):
    figures = summarise(measure(task))
    for k in KS:
        assert figures[f"f1_a@{k}"] <= figures[f"f1_c@{k}"] + 1e-12
        assert figures[f"f1_c@{k}"] <= figures[f"f1_b@{k}"] + 1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_average_precision_and_ndcg_are_scikit_learn_s(seed):
    task = random_task(seed, queries=4, gallery=50, removed=0)
    columns = measure(task).columns
    cosines = task.queries @ task.gallery.T
    gains = task.query_labels.astype(int) @ task.gallery_labels.T.astype(int)
    for query in range(4):
        if gains[query].any():
            assert columns["map"][query] == pytest.approx(average_precision_score(gains[query] > 0, cosines[query]))
            for k in KS:
                expected = ndcg_score(gains[None, query], cosines[None, query], k=k)
                assert columns[f"ndcg@{k}"][query] == pytest.approx(expected)


def test_with_one_label_a_patch_all_three_f1_are_precision():
    figures = summarise(measure(random_task(3, queries=30, gallery=60, kind=single_labels)))
    for k in KS:
        for name in ("f1_a", "f1_b", "f1_c"):
            assert figures[f"{name}@{k}"] == pytest.approx(figures[f"precision@{k}"])


def test_values_worked_out_by_hand():
    """Query {0, 1} finds {0}, {2}, {0, 1} in this order; the other, {2}, the same."""
    task = one_dimension([[1, 1, 0], [0, 0, 1]], [[0, 0, 1], [1, 1, 0], [1, 0, 0]], [0.5, 0.1, 0.9], partner=[NONE, 0])
    measured = measure(task)
    assert measured.top_rows[0, :3].tolist() == [2, 0, 1]
    of_first = {name: values[0] for name, values in measured.columns.items()}
    assert of_first["label_precision@1"] == 1
    assert of_first["label_recall@1"] == 0.5
    assert of_first["f1_a@1"] == pytest.approx(2 / 3)
    assert of_first["f1_a@5"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert of_first["f1_c@5"] == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert of_first["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert of_first["map@1"] == 1
    assert of_first["recall@1"] == of_first["r_precision"] == 0.5
    assert of_first["ndcg@1"] == 0.5
    assert of_first["ndcg@5"] == pytest.approx((1 + 2 / 2) / (2 + 1 / np.log2(3)))
    assert measured.columns["partner_rank"][1] == 2
    assert summarise(measured)["partner_median_rank"] == 2
    assert summarise(measured)["partner_recall@1"] == 0
    assert summarise(measured)["partner_recall@5"] == 1


def test_equal_cosines_go_to_the_lower_row_wherever_a_row_lies_in_a_block():
    """Equal vectors, as a collapsed model makes them, in the middle of others."""
    rng = np.random.default_rng(0)
    gallery = unit(rng, 10_007, 64)
    same = np.sort(rng.choice(10_007, 30, replace=False))
    gallery[same] = gallery[same[0]]
    task = RetrievalTask(
        queries=gallery[same[:3]],
        gallery=gallery,
        query_labels=np.ones((3, 1), bool),
        gallery_labels=np.ones((10_007, 1), bool),
        left_out=same[[0, 1, 2]],
        partner=nothing(3),
    )
    for query, rows in enumerate(measure(task).top_rows):
        assert rows.tolist() == [row for row in same if row != same[query]][:20]


def test_opposite_and_orthogonal_vectors_are_ranked_last_and_in_the_middle():
    directions = np.array([[-1, 0], [0, -1], [1, 0], [0, 1]], np.float32)
    ones = np.ones((4, 1), bool)
    task = RetrievalTask(directions[2:3], directions, ones[:1], ones, nothing(1), nothing(1))
    measured = measure(task)
    assert measured.top_rows[0, :4].tolist() == [2, 1, 3, 0]
    assert measured.top_cosines[0, :4].tolist() == [1, 0, 0, -1]


def test_the_partner_is_ranked_among_what_may_be_found():
    task = one_dimension([[1]], [[1]] * 4, [0.9, 0.8, 0.7, 0.6], left_out=[1], partner=[2])
    assert measure(task).columns["partner_rank"].tolist() == [2]


def test_the_row_that_is_left_out_is_never_found():
    task = random_task(5, queries=20, gallery=15, removed=1)
    rows = measure(task).top_rows
    assert (rows != task.left_out[:, None]).all()
    assert ((rows != NONE).sum(axis=1) == 14).all()


def test_a_query_without_a_relevant_patch_is_counted_and_in_no_mean_of_recall():
    task = one_dimension([[1, 0], [0, 1]], [[1, 0], [1, 0]], [0.9, 0.8])
    measured = measure(task)
    assert measured.unanswerable == 1
    for name in ("map", "map@5", "recall@5", "r_precision", "ndcg@5"):
        assert np.isnan(measured.columns[name][1]), name
        assert summarise(measured)[name] == 1
    assert summarise(measured)["precision@5"] == 0.5
    assert measured.curve_recall.tolist() == [0.5, 1]


def test_where_no_query_has_a_relevant_patch_those_metrics_are_absent():
    measured = measure(one_dimension([[1, 0]], [[0, 1]], [0.9]))
    figures = summarise(measured)
    assert "map" not in figures
    assert "ndcg@5" not in figures
    assert figures["precision@5"] == figures["f1_b@5"] == 0
    assert np.isnan(measured.curve_recall).all()


def test_metrics_of_partners_are_absent_without_partners():
    figures = summarise(measure(random_task(1, partners=0)))
    assert not [name for name in figures if name.startswith("partner")]


def test_the_curve_rises_to_one_at_the_size_of_what_is_searched():
    task = random_task(8, queries=40, gallery=300, removed=1)
    measured = measure(task)
    assert measured.curve_ranks[[0, -1]].tolist() == [1, 299]
    assert 40 < len(measured.curve_ranks) <= 60
    assert (np.diff(measured.curve_recall) >= 0).all()
    assert measured.curve_recall[-1] == pytest.approx(1)
    at = measured.curve_ranks.tolist().index(10)
    assert measured.curve_recall[at] == pytest.approx(np.nanmean(measured.columns["recall@10"]))


def test_which_classes_are_retrieved_is_that_of_loops():
    task = random_task(9, queries=8, gallery=10, classes=4)
    task = replace(task, query_labels=np.concatenate([task.query_labels[:, :3], np.zeros((8, 1), bool)], axis=1))
    task.query_labels[:, 0] |= ~task.query_labels.any(axis=1)
    found = measure(task).retrieved
    for row in range(4):
        of_class = [query for query in range(8) if task.query_labels[query, row]]
        for column in range(4):
            shares = [task.gallery_labels[slow_order(task, query)[:5], column].mean() for query in of_class]
            expected = np.mean(shares) if shares else np.nan
            np.testing.assert_allclose(found[row, column], expected)
    assert np.isnan(found[3]).all()


def test_blocks_change_nothing(monkeypatch):
    task = random_task(2, queries=23, gallery=70, ties=30)
    whole = measure(task)
    monkeypatch.setattr(ranking, "_CELLS", 150)
    monkeypatch.setattr(ranking, "_TILE", 9)
    monkeypatch.setattr("jepa_core.evaluation.label_sets._CELLS", 50)
    parts = measure(task)
    for name in COLUMNS:
        np.testing.assert_array_equal(parts.columns[name], whole.columns[name], err_msg=name)
    np.testing.assert_array_equal(parts.top_rows, whole.top_rows)
    np.testing.assert_allclose(parts.curve_recall, whole.curve_recall, rtol=1e-12)


def test_more_classes_than_a_word_holds():
    rng = np.random.default_rng(4)
    first, second = labels(rng, 20, 131, 0.1), labels(rng, 20, 131, 0.1)
    expected = (first & second).sum(axis=1)
    assert shared(label_bits(first), label_bits(second)).tolist() == expected.tolist()
    task = random_task(4, classes=131)
    np.testing.assert_allclose(measure(task).columns["map"], slow_columns(task)["map"])


def test_values_of_queries_survive_their_table(tmp_path):
    measured = measure(random_task(6, queries=9, partners=0.5))
    table = to_table(measured.columns)
    assert set(table.dtypes.astype(str)) == {"float32"}
    table.to_parquet(tmp_path / "queries.parquet")
    back = from_table(table.assign(patch="a"))
    assert list(back) == list(COLUMNS)
    for name, value in summary(back).items():
        assert value == pytest.approx(summarise(measured)[name], abs=1e-6)
    for name in COLUMNS:
        np.testing.assert_array_equal(back[name], measured.columns[name].astype(np.float32))


def test_a_table_that_lacks_columns_or_rows_is_refused():
    table = to_table(measure(random_task(6)).columns)
    with pytest.raises(MetricsError, match="lacks 1 columns, map first"):
        from_table(table.drop(columns="map"))
    with pytest.raises(MetricsError, match="has no rows"):
        from_table(table[:0])


BAD = {
    "1 of 5 query vectors are not finite unit vectors": lambda t: {"queries": _with(t.queries, 0, np.nan)},
    "2 of 12 gallery vectors are not finite unit vectors": lambda t: {"gallery": _with(t.gallery, [3, 4], 0)},
    r"query vectors are of shape \(0, 4\)": lambda t: {"queries": t.queries[:0]},
    "vectors have 4 columns in queries and 3": lambda t: {"gallery": unit(np.random.default_rng(0), 12, 3)},
    "labels have 5 columns in queries and 4": lambda t: {"gallery_labels": t.gallery_labels[:, :4]},
    r"query labels are int64 of shape \(5, 5\)": lambda t: {"query_labels": t.query_labels.astype(np.int64)},
    "for each of the 12 vectors": lambda t: {"gallery_labels": t.gallery_labels[:3]},
    "1 of 12 gallery patches have no label": lambda t: {"gallery_labels": _with(t.gallery_labels, 7, False)},
    "1 of 5 rows in left_out are not in the gallery of 12": lambda t: {"left_out": _with(t.left_out, 2, 12)},
    "2 of 5 rows in partner are not in": lambda t: {"partner": _with(t.partner, [0, 1], -2)},
    "left_out is float64": lambda t: {"left_out": t.left_out.astype(float)},
    "partner is int64 of shape": lambda t: {"partner": t.partner[:2]},
    "queries have their partner left out": lambda t: {"partner": _with(t.partner, 0, 3), "left_out": np.full(5, 3)},
    "5 of 5 queries have nothing to find": lambda t: {
        "gallery": t.gallery[:1],
        "gallery_labels": t.gallery_labels[:1],
        "left_out": np.zeros(5, int),
        "partner": nothing(5),
    },
}


def _with(array, rows, value):
    changed = array.copy()
    changed[rows] = value
    return changed


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_measured_is_refused_with_how_many_rows(message):
    task = random_task(0)
    with pytest.raises(MetricsError, match=message):
        measure(replace(task, **BAD[message](task)))
