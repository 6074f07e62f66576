"""Benchmarks of the chain through Dagster's own API, on a synthetic archive, with training cut to two epochs."""

import json
import shutil
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from jepa_core import atomic
from jepa_core.catalog import current_model
from jepa_core.evaluation.gate import write_reference
from jepa_core.evaluation.report import read_report
from jepa_core.evaluation.results import Search
from jepa_core.stages import read_record
from jepa_core.store import Store
from pipelines.assets.benchmarks import metric_name, search_name
from pipelines.definitions import VARIANTS
from pipelines.resources import Workspace, tracking_uri
from tests.pipelines.chain import materialize, metadata

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judged(base):
    """The finished chain with its benchmark."""
    workspace, instance, _ = base
    return workspace, instance, materialize(workspace, instance, ["crjepa_benchmark"])


def test_the_report_and_its_pictures_are_in_dagster(judged):
    _, _, result = judged
    evaluations = result.get_asset_check_evaluations()
    assert {e.check_name for e in evaluations} == {"crjepa_benchmark_whole", "benchmark_gate"}
    assert all(e.passed for e in evaluations)
    assert metadata(result, "crjepa_benchmark")["did_work"].value is True
    assert metadata(result, "crjepa_benchmark")["seconds"].value > 0
    table = metadata(result, "crjepa_benchmark")["results"].value
    assert "S1 → S2, paired patch removed" in table
    assert "| chance | random-vectors | band-statistics | thumbnail | pca | random-encoder |" in table
    for picture in ("recall_by_rank_s1_s2", "best_queries_sentinel1_sentinel2"):
        assert "data:image/png;base64," in metadata(result, "crjepa_benchmark")[picture].value


def test_mlflow_holds_the_benchmark_with_every_figure_and_the_page(judged):
    from mlflow import MlflowClient

    workspace, _, _ = judged
    client = MlflowClient(tracking_uri(workspace.store()))
    (benchmark,) = client.search_runs([client.get_experiment_by_name("benchmarks").experiment_id])
    report = read_report(workspace.store().benchmark("crjepa"))
    for result in report.results:
        name = search_name(result.search) + ("" if result.serves else f"/{result.head}_head")
        for figure in result.figures:
            assert benchmark.data.metrics[f"{metric_name(figure.metric)}/{name}"] == figure.value
    assert benchmark.data.metrics["f1_a_at_5_chance/sentinel1_to_sentinel2/test/removed"] > 0
    assert "f1_a_at_5_band-statistics/sentinel1_to_sentinel2/test/removed" in benchmark.data.metrics
    assert "macro_mAP/linear_probe/sentinel2/10_percent_of_labels" in benchmark.data.metrics
    files = {file.path for file in client.list_artifacts(benchmark.info.run_id)}
    assert {"report.html", "report.json", "test-sentinel1-sentinel2-removed.parquet"} <= files
    assert any(file.endswith(".png") for file in files)


def test_the_report_says_what_the_training_cost(judged):
    store = judged[0].store()
    model = read_report(store.benchmark("crjepa")).model
    made = read_record(store, "crjepa_model").summary
    assert model.steps == made["steps"]
    assert 0 < model.cost.parameters < made["parameters"]
    history = pd.read_parquet(current_model(store, "crjepa").folder / "history.parquet")
    assert model.training_seconds == pytest.approx(history["seconds"].sum())


def test_a_benchmark_that_falls_under_the_stored_reference_fails_the_gate(judged):
    workspace, instance, _ = judged
    store = workspace.store()
    report, path = read_report(store.benchmark("crjepa")), store.benchmark_reference("crjepa")

    def gate():
        result = materialize(workspace, instance, ["crjepa_benchmark"], None, False)
        (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "benchmark_gate"]
        return found

    assert "no reference is stored" in gate().description
    try:
        write_reference(path, report)
        assert gate().passed
        raised = [replace(r, figures=tuple(replace(f, value=f.high + 0.01) for f in r.figures)) for r in report.results]
        write_reference(path, replace(report, results=tuple(raised)))
        fallen = gate()
        assert not fallen.passed
        assert fallen.severity == dg.AssetCheckSeverity.ERROR
        assert "F1@5 (A) of S1 → S1" in fallen.description
        write_reference(path, replace(report, data=replace(report.data, version="0" * 64)))
        other = gate()
        assert not other.passed
        assert other.severity == dg.AssetCheckSeverity.WARN
        assert "not comparable" in other.description
        path.write_text("{")
        damaged = gate()
        assert not damaged.passed
        assert path.name in damaged.description
    finally:
        path.unlink()


@pytest.fixture(scope="module")
def compared(judged, tmp_path_factory):
    """A copy of the finished run in which the other variants were trained for an epoch each, and compared."""
    copy = shutil.copytree(
        Store.at(judged[0].settings().data).root.parent, tmp_path_factory.mktemp("compared") / "copy"
    )
    (copy / "data" / "root.json").write_text(json.dumps({"archive": str(copy / "archive")}))
    workspace = Workspace(archive=str(copy / "archive"), data=str(copy / "data"))
    instance = dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance")))
    others = [variant for variant in VARIANTS if variant != "crjepa"]
    stages = [f"{variant}_{what}" for variant in others for what in ("model", "descriptors", "index", "benchmark")]
    config = {"ops": {f"{variant}_model": {"config": {"epochs": 1}} for variant in others}}
    result = materialize(workspace, instance, [*stages, "benchmark_comparison"], config)
    return workspace, instance, result


def test_the_chains_of_all_variants_lead_to_a_comparison_of_their_own_figures(compared):
    workspace, _, result = compared
    evaluations = result.get_asset_check_evaluations()
    # A model one, descriptors two, an index one, a benchmark two; and the comparison.
    assert len(evaluations) == 5 * 6 + 1
    assert all(e.passed for e in evaluations)
    store = workspace.store()
    lines = atomic.read_json(store.comparison / "report.json")["lines"]
    of_two_kinds = ("xjepa", "crjepa", "lejepa")
    for variant in VARIANTS:
        report = read_report(store.benchmark(variant))
        serving = [result for result in report.results if result.serves]
        # Within a sensor the other kind of descriptor is shown too.
        within = [result for result in serving if result.search.query == result.search.gallery]
        assert len(report.results) == len(serving) + len(within) * (variant in of_two_kinds)
        figures = [figure.value for result in serving for figure in result.figures]
        assert [line["figures"][variant]["value"] for line in lines] == figures
    table = metadata(result, "benchmark_comparison")["results"].value
    assert "| ijepa | mae | rejepa | xjepa | crjepa | lejepa | chance | band-statistics |" in table
    assert "By ijepa, mae and rejepa each sensor is described apart" in (store.comparison / "report.html").read_text()


def test_the_comparison_is_in_mlflow_beside_the_benchmarks(compared):
    from mlflow import MlflowClient

    workspace, _, result = compared
    client = MlflowClient(tracking_uri(workspace.store()))
    experiment = client.get_experiment_by_name("benchmarks").experiment_id
    (run,) = client.search_runs([experiment], "tags.`dagster.asset` = 'benchmark_comparison'")
    assert run.info.status == "FINISHED"
    assert run.data.tags["dagster.run_id"] == result.run_id
    name = "f1_a_at_5/sentinel2_to_sentinel1/test/removed"
    for variant in VARIANTS:
        results = read_report(workspace.store().benchmark(variant)).results
        search = Search("test", "sentinel2", "sentinel1", "removed")
        (found,) = [r for r in results if r.serves and r.search == search]
        assert run.data.metrics[f"{name}/{variant}"] == found.figure("f1_a@5").value
    assert f"{name}/chance" in run.data.metrics
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "report.json"} <= files
    assert metadata(result, "benchmark_comparison")["mlflow_run"].value.endswith(run.info.run_id)


def test_a_second_comparison_does_nothing_and_one_that_was_changed_in_place_fails_its_check(compared):
    workspace, instance, _ = compared
    again = materialize(workspace, instance, ["benchmark_comparison"])
    assert metadata(again, "benchmark_comparison")["did_work"].value is False
    path = workspace.store().comparison / "report.json"
    written = path.read_text()
    path.write_text(written.replace('"mae": ', '"mea": '))
    broken = materialize(workspace, instance, ["benchmark_comparison"], None, False)
    (evaluation,) = broken.get_asset_check_evaluations()
    assert not evaluation.passed
    path.write_text(written[:-30])
    repaired = materialize(workspace, instance, ["benchmark_comparison"])
    assert metadata(repaired, "benchmark_comparison")["did_work"].value is True
    assert path.read_text() == written


def test_a_report_cut_short_is_made_again(judged):
    workspace, instance, _ = judged
    path = workspace.store().benchmark("crjepa") / "report.json"
    path.write_bytes(path.read_bytes()[:-30])
    result = materialize(workspace, instance, ["crjepa_benchmark"])
    assert metadata(result, "crjepa_benchmark")["did_work"].value is True
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_a_report_that_was_changed_in_place_fails_its_check_and_the_reason_names_it(judged):
    workspace, instance, _ = judged
    path = workspace.store().benchmark("crjepa") / "report.json"
    written = path.read_bytes()
    path.write_bytes(bytes(byte ^ 0xFF for byte in written))
    try:
        result = materialize(workspace, instance, ["crjepa_benchmark"], None, False)
    finally:
        path.write_bytes(written)
    assert not result.success
    (evaluation,) = [e for e in result.get_asset_check_evaluations() if e.check_name.endswith("_whole")]
    assert not evaluation.passed
    assert path.name in evaluation.description
    assert "delete" in evaluation.description
