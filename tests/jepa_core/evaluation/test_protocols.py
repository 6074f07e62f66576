"""Which rows ask, which are searched, and what a query may not find."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_core.evaluation.protocols import BenchmarkError, plans
from jepa_core.evaluation.results import Search
from jepa_core.evaluation.retrieval import NONE
from jepa_core.sensors import SENTINEL2
from tests.labelled import labelled_set


def by_search(data):
    return {plan.search: plan for plan in plans(data)}


def test_two_sensors_have_six_searches_within_the_test_split_and_four_of_each_other_protocol():
    found = by_search(labelled_set())
    count = {p: sum(s.protocol == p for s in found) for p in ("test", "val to test", "test to rest")}
    assert count == {"test": 6, "val to test": 4, "test to rest": 4}
    assert len(found) == 14


def test_one_sensor_has_one_search_a_protocol():
    assert [(s.protocol, s.pair) for s in by_search(labelled_set(sensors=(SENTINEL2,)))] == [
        ("test", "self removed"),
        ("val to test", "apart"),
        ("test to rest", "apart"),
    ]


def test_a_query_never_finds_itself_and_finds_its_pair_only_where_that_is_kept():
    found = by_search(labelled_set())
    same = found[Search("test", "sentinel1", "sentinel1", "self removed")]
    kept = found[Search("test", "sentinel1", "sentinel2", "kept")]
    removed = found[Search("test", "sentinel1", "sentinel2", "removed")]
    np.testing.assert_array_equal(same.gallery[same.left_out], same.queries)
    np.testing.assert_array_equal(kept.gallery[kept.partner], kept.queries)
    np.testing.assert_array_equal(removed.gallery[removed.left_out], removed.queries)
    assert (kept.left_out == NONE).all()
    assert (same.partner == NONE).all()
    assert (removed.partner == NONE).all()


def test_queries_and_gallery_of_different_splits_share_no_row():
    data = labelled_set(unlabelled=0.2)
    for search, plan in by_search(data).items():
        if search.pair == "apart":
            assert not set(plan.queries) & set(plan.gallery)
            assert (plan.left_out == NONE).all()
            assert (plan.partner == NONE).all()
    rest = by_search(data)[Search("test to rest", "sentinel2", "sentinel2", "apart")]
    assert set(data.splits[rest.gallery]) == {"train", "val"}
    queries = by_search(data)[Search("val to test", "sentinel2", "sentinel2", "apart")]
    assert set(data.splits[queries.queries]) == {"val"}
    assert set(data.splits[queries.gallery]) == {"test"}


def test_galleries_lie_in_a_drawn_order_so_that_equal_cosines_favour_no_class():
    for plan in plans(labelled_set(rows=400)):
        assert sorted(plan.gallery) == sorted(set(plan.gallery))
        assert 0.3 < (np.diff(plan.gallery) > 0).mean() < 0.7


def test_unlabelled_rows_ask_nothing_and_are_in_no_gallery():
    data = labelled_set(unlabelled=0.4)
    for plan in plans(data):
        assert data.labels[plan.queries].any(axis=1).all()
        assert data.labels[plan.gallery].any(axis=1).all()


def test_a_protocol_without_its_split_is_left_out_and_too_few_test_rows_are_a_plain_error():
    data = labelled_set()
    without_val = replace(data, splits=np.where(data.splits == "val", "", data.splits))
    assert {plan.search.protocol for plan in plans(without_val)} == {"test", "test to rest"}
    test = data.rows("test")
    splits = np.where(np.isin(np.arange(len(data)), test[1:]), "", data.splits)
    with pytest.raises(BenchmarkError, match=r"needs at least 2 labelled rows in the test split and found 1 of 80"):
        plans(replace(data, splits=splits))


def test_the_task_holds_the_vectors_and_labels_of_its_rows():
    data = labelled_set(rows=40)
    rng = np.random.default_rng(0)
    vectors = {s.name: {"same": rng.random((40, 3)), "cross": rng.random((40, 3))} for s in data.sensors}
    plan = by_search(data)[Search("test", "sentinel1", "sentinel2", "removed")]
    task = plan.task(data, vectors, "cross")
    np.testing.assert_array_equal(task.queries, vectors["sentinel1"]["cross"][plan.queries])
    np.testing.assert_array_equal(task.gallery, vectors["sentinel2"]["cross"][plan.gallery])
    np.testing.assert_array_equal(task.query_labels, data.labels[plan.queries])
