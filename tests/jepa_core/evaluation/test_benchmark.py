"""A subject on a set, from descriptors to the report."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_core import versions
from jepa_core.baselines.registry import BASELINES
from jepa_core.datasets.stored_pairs import stored_pairs
from jepa_core.evaluation.benchmark import run_baselines, run_benchmark
from jepa_core.evaluation.protocols import BenchmarkError
from jepa_core.evaluation.report import read_queries, read_report
from jepa_core.evaluation.side_by_side import reported, side_by_side
from jepa_core.evaluation.subject import archive_subject, baseline_subject, foreign_subject, trained_subject
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.training.pretrain import Choice
from jepa_core.variants import ijepa
from jepa_core.vectors import DescriptorError
from tests.labelled import labelled_set

SMALL = {"input_size": 16, "patch_size": 8, "width": 16, "depth": 1, "heads": 2, "predictor_depth": 1}
ENCODER = ijepa.IJEPAConfig(input_size=16, patch_size=8, width=16, depth=1, heads=2)


@pytest.fixture(scope="module")
def data():
    return labelled_set(rows=80)


@pytest.fixture(scope="module")
def judged(data, tmp_path_factory):
    """A method of two seeds beside all baselines."""
    store = Store.at(tmp_path_factory.mktemp("set"))
    model = SMALL | {"head_hidden": [], "dimension": 8}
    choices = [Choice("crjepa", seed=seed, epochs=2, model=model) for seed in (0, 1)]
    subject = trained_subject(store, data, choices)
    rivals = run_baselines(store, data, subject.encoder, "drawn")
    return store, subject, rivals, run_benchmark(store.benchmark("crjepa"), data, subject, rivals, "drawn")


def test_the_report_holds_every_search_within_a_sensor_by_both_kinds_and_all_baselines(judged):
    store, subject, _, report = judged
    assert [result.serves for result in report.results] == [True] * 14 + [False] * 6
    within = {result.search for result in report.results if result.search.query == result.search.gallery}
    across = {result.search for result in report.results} - within
    assert (len(within), len(across)) == (6, 8)
    assert {(result.search, result.head) for result in report.results} == {
        *((search, head) for search in within for head in ("same", "cross")),
        *((search, "cross") for search in across),
    }
    assert list(report.baselines) == list(BASELINES)
    for results in report.baselines.values():
        assert [result.search for result in results] == [result.search for result in report.results[:14]]
    assert report.model.seeds == (0, 1)
    assert report.model.models == subject.models
    assert len(set(subject.models)) == 2
    assert report.data.rows == {"train": 40, "val": 16, "test": 24}
    assert {(c.sensor, c.share) for c in report.classification} == {
        (sensor, share) for sensor in ("sentinel1", "sentinel2") for share in (0.01, 0.1, 1.0)
    }
    assert read_report(store.benchmark("crjepa")) == report


def test_a_figure_is_the_mean_of_its_seeds_within_its_interval_beside_chance(judged):
    *_, report = judged
    for result in report.results:
        for figure in result.figures:
            assert figure.value == pytest.approx(np.mean(figure.seeds))
            assert figure.low <= figure.value + 1e-9
            assert figure.high >= figure.value - 1e-9
        assert result.figure("f1_a@5").chance == pytest.approx(0.25, abs=0.08)
        a, b, c = (result.figure(f"f1_{name}@5").value for name in "abc")
        assert a <= c + 1e-9 <= b + 2e-9


def test_values_of_single_queries_give_the_figures(judged):
    store, _, _, report = judged
    for result in report.results[:14]:
        table = read_queries(store.benchmark("crjepa"), result.search)
        assert len(table) == result.queries
        assert table["f1_a@5"].mean() == pytest.approx(result.figure("f1_a@5").value, abs=1e-5)


def test_the_same_again_does_nothing_and_other_code_does_it_anew(judged, data, monkeypatch):
    store, subject, rivals, report = judged
    unasked = replace(subject, vectors=lambda: pytest.fail("described again"))
    assert run_benchmark(store.benchmark("crjepa"), data, unasked, rivals, "drawn") == report
    monkeypatch.setattr(versions, "BENCHMARK", "other")
    with pytest.raises(pytest.fail.Exception):
        run_benchmark(store.benchmark("crjepa"), data, unasked, rivals, "drawn")


def test_methods_are_compared_on_the_same_queries(judged, data):
    store, _, _, report = judged
    rivals = run_baselines(store, data, ENCODER, "drawn")
    other = replace(baseline_subject(data, "pca", [5], ENCODER), variant="other")
    run_benchmark(store.benchmark("other"), data, other, rivals, "drawn", illustrated=False)
    assert reported(store, report) == ["crjepa", "other"]
    comparison = side_by_side(store, ["crjepa", "other"])
    tested = {(d.search, d.metric) for d in comparison.differences}
    assert len(tested) == 2 * 6
    for found in comparison.differences:
        assert found.low - 1e-9 <= found.difference <= found.high + 1e-9
        assert 0 < found.p <= found.p_corrected <= 1
    assert (store.comparison / "report.html").stat().st_size > 10_000


def test_an_archive_is_judged_by_the_descriptors_that_its_stage_wrote(cut_store, pairs, trained, described, tmp_path):
    data = stored_pairs(cut_store, pairs, (SENTINEL1, SENTINEL2), "v")
    subject = archive_subject(cut_store, trained, data, pairs)
    (vectors,) = subject.vectors()
    for sensor, column in ((SENTINEL1, "patch_a"), (SENTINEL2, "patch_b")):
        names = described[sensor.name].patch_ids.tolist()
        rows = [names.index(name) for name in pairs[column]]
        for kind in ("same", "cross"):
            np.testing.assert_array_equal(vectors[sensor.name][kind], described[sensor.name].vectors[kind][rows])
    report = run_benchmark(tmp_path / "report", data, subject, {}, "here", illustrated=False)
    assert report.model.models == (trained.fingerprint,)
    assert (report.model.size, report.model.steps, report.model.seeds) == ("tiny", 1, (0,))


class Broken:
    name = "broken"
    fingerprint = "b" * 64
    parameters = None

    def __init__(self, value):
        self.value = value

    def describe(self, pixels, sensor):
        return {"same": np.full((len(pixels), 4), self.value, np.float32)}


def test_vectors_that_are_no_unit_vectors_are_a_plain_error(data, tmp_path):
    for value in (np.nan, 0.0, 3.0):
        with pytest.raises(DescriptorError, match="broken descriptors of sentinel1 are not finite unit vectors"):
            run_benchmark(tmp_path / "report", data, foreign_subject(data, Broken(value)), {}, "drawn")
    assert not (tmp_path / "report").exists()


def test_descriptors_that_are_all_alike_do_not_profit_from_the_order_of_the_rows(tmp_path):
    # Sorted by class, the first of them the most frequent: as class folders are read.
    data = labelled_set(rows=400, sensors=(SENTINEL2,))
    order = np.argsort(data.labels.argmax(axis=1), kind="stable")
    data = replace(data, ids=data.ids[order], labels=data.labels[order], splits=data.splits[order])
    report = run_benchmark(tmp_path / "report", data, foreign_subject(data, Broken(0.5)), {}, "drawn")
    for result in report.results:
        found = result.figure("map")
        assert found.value == pytest.approx(found.chance, abs=0.02)


def test_a_set_without_test_labels_is_a_plain_error(data, tmp_path):
    bare = replace(data, labels=data.labels & (data.splits != "test")[:, None])
    with pytest.raises(BenchmarkError, match="needs at least 2 labelled rows in the test split and found 0"):
        run_benchmark(tmp_path / "report", bare, foreign_subject(bare, Broken(0.5)), {}, "drawn")


def test_a_class_that_no_test_row_has_is_in_no_chart_and_breaks_nothing(data, tmp_path):
    gone = replace(data, labels=data.labels & ((data.splits != "test")[:, None] | (np.arange(4) != 2)))
    report = run_benchmark(tmp_path / "report", gone, foreign_subject(gone, Broken(0.5)), {}, "drawn", False)
    assert all("class 2" not in details.classes for details in report.details if details.search.protocol == "test")


def test_kept_descriptors_are_of_the_data_too(judged, data):
    store, subject, *_ = judged
    model = SMALL | {"head_hidden": [], "dimension": 8}
    fewer = replace(data, version="other", splits=np.where(data.splits == "test", "", data.splits))
    again = trained_subject(store, fewer, [Choice("crjepa", epochs=2, model=model)])
    assert again.models == subject.models[:1]
    (vectors,) = again.vectors()
    rows = data.rows("test")
    assert np.isnan(vectors["sentinel1"]["same"][rows]).all()


def test_a_set_without_training_rows_is_judged_without_the_baselines_that_need_them(data, tmp_path, caplog):
    bare = replace(data, splits=np.where(data.splits == "train", "", data.splits))
    rivals = run_baselines(Store.at(tmp_path), bare, ENCODER, "drawn")
    assert list(rivals) == ["random-vectors"]
    assert "no baseline band-statistics" in caplog.text
