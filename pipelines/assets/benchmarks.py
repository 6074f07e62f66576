"""Model and descriptors to a benchmark report, tracked in MLflow."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from jepa_core.stages import StageRecord
from jepa_core.store import Store
from pipelines.chain import PATCH_PAIRS, benchmark_stage
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, run_stage

if TYPE_CHECKING:
    from jepa_core.evaluation.results import Report, Search

EXPERIMENT = "benchmarks"

_SHOWN = ("recall-by-rank", "descriptors-on", "best-queries", "worst-queries")
"""Beginnings of the pictures that the asset's page shows; the report has all."""


def benchmark_asset(variant: str) -> dg.AssetsDefinition:
    """The asset `<variant>_benchmark`."""
    stage = benchmark_stage(variant)

    @dg.asset(
        name=stage.name,
        group_name="benchmarks",
        deps=list(stage.upstream),
        code_version=stage.version,
        kinds={"mlflow", "html"},
        description=f"Retrieval and classification by {variant} on the labelled pairs, beside chance and baselines.",
    )
    def _benchmark(
        context: dg.AssetExecutionContext, workspace: Workspace, tracking: Tracking
    ) -> dg.MaterializeResult[None]:
        def work(inputs: StageInputs) -> StageResult:
            store = workspace.store()
            parameters = {"variant": variant}
            with tracking.run(store, context, EXPERIMENT, inputs.fingerprint, parameters) as run:
                report = _report(context, variant, store, inputs.upstream)
                run.log_figures(report_figures(report))
                for file in sorted(store.benchmark(variant).iterdir()):
                    run.log_file(file)
                return _result(store, variant, report, run.url)

        return run_stage(stage, context, workspace, {}, work)

    return _benchmark


def _report(
    context: dg.AssetExecutionContext, variant: str, store: Store, upstream: dict[str, StageRecord]
) -> "Report":
    from jepa_core import atomic
    from jepa_core.datasets.stored_pairs import stored_pairs
    from jepa_core.evaluation.benchmark import run_baselines, run_benchmark
    from jepa_core.evaluation.subject import archive_subject
    from jepa_core.model import load_model
    from jepa_core.patch_store import stored_sensors
    from jepa_core.tables import PAIRS, read_table

    pairs = read_table(store.pairs, PAIRS)
    data = stored_pairs(store, pairs, stored_sensors(store), upstream[PATCH_PAIRS.name].data_version)
    model = load_model(store.root / upstream[f"{variant}_model"].summary["folder"])
    archive = atomic.read_json(store.root / "root.json")["archive"]
    subject = archive_subject(store, model, data, pairs)
    # All variants share the baselines' reports.
    with store.locked("baselines", context.log.info):
        rivals = run_baselines(store, data, subject.encoder, archive)
    return run_benchmark(store.benchmark(variant), data, subject, rivals, archive)


def _result(store: Store, variant: str, report: "Report", link: str) -> StageResult:
    from jepa_core.evaluation.markdown import markdown_report

    folder = store.benchmark(variant)
    return StageResult(
        outputs=[folder],
        summary={
            "report": str((folder / "report.html").relative_to(store.root)),
            "model": report.model.models[0],
            "figures": sum(len(result.figures) for result in report.results),
        },
        pictures=shown_pictures(folder, _SHOWN),
        tables={"results": markdown_report(report)},
        links={"mlflow_run": link},
    )


def shown_pictures(folder: Path, beginnings: Iterable[str]) -> dict[str, bytes]:
    """Pictures of a report whose names, after their number, begin like one of these."""
    chosen = tuple(beginnings)
    return {
        file.stem.partition("-")[2].replace("-", "_"): file.read_bytes()
        for file in sorted(folder.glob("*.png"))
        if file.stem.partition("-")[2].startswith(chosen)
    }


def report_figures(report: "Report") -> dict[str, float]:
    """Every figure by the name that MLflow has it under."""
    figures = {}
    for result in report.results:
        name = search_name(result.search) + ("" if result.serves else f"/{result.head}_head")
        for figure in result.figures:
            figures[f"{metric_name(figure.metric)}/{name}"] = figure.value
            if result.serves:
                figures[f"{metric_name(figure.metric)}_low/{name}"] = figure.low
                figures[f"{metric_name(figure.metric)}_high/{name}"] = figure.high
                figures[f"{metric_name(figure.metric)}_chance/{name}"] = figure.chance
    for baseline, results in report.baselines.items():
        for result in results:
            for figure in result.figures:
                figures[f"{metric_name(figure.metric)}_{baseline}/{search_name(result.search)}"] = figure.value
    for found in report.classification:
        share = f"{100 * found.share:g}_percent_of_labels"
        metric = found.metric.replace(" ", "_")
        figures[f"{metric}/{found.classifier.replace(' ', '_')}/{found.sensor}/{share}"] = found.value
    return figures


def search_name(search: "Search") -> str:
    """A search as part of a metric's name."""
    return f"{search.query}_to_{search.gallery}/{search.protocol}/{search.pair}".replace(" ", "_")


def metric_name(metric: str) -> str:
    """A metric's name without the sign that MLflow does not take."""
    return metric.replace("@", "_at_")
