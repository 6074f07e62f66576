"""Model and descriptors to a benchmark report, tracked in MLflow."""

import dagster as dg

from jepa_core.sensors import SENSORS
from jepa_core.stages import StageRecord
from jepa_core.store import Store
from pipelines.chain import PATCH_PAIRS, benchmark_stage
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, run_stage

EXPERIMENT = "benchmarks"


def benchmark_asset(variant: str) -> dg.AssetsDefinition:
    """The asset `<variant>_benchmark`."""
    stage = benchmark_stage(variant)

    @dg.asset(
        name=stage.name,
        group_name="benchmarks",
        deps=list(stage.upstream),
        code_version=stage.version,
        kinds={"mlflow", "html"},
        description=f"F1@5 of {variant} on the test pairs in four directions, beside chance and a baseline.",
    )
    def _benchmark(
        context: dg.AssetExecutionContext, workspace: Workspace, tracking: Tracking
    ) -> dg.MaterializeResult[None]:
        def work(inputs: StageInputs) -> StageResult:
            store = workspace.store()
            parameters = {"variant": variant}
            with tracking.run(store, context, EXPERIMENT, inputs.fingerprint, parameters) as run:
                result, figures = _report(variant, store, inputs.upstream)
                result.links["mlflow_run"] = run.url
                run.log_figures(figures)
                for file in sorted(store.benchmark(variant).iterdir()):
                    run.log_file(file)
            return result

        return run_stage(stage, context, workspace, {}, work)

    return _benchmark


def search_name(query: str, gallery: str, pair: str) -> str:
    """A direction and protocol as part of a metric's name."""
    direction = "_to_".join(SENSORS[name].short for name in (query, gallery))
    return f"{direction}/{pair.replace(' ', '_')}"


def _report(variant: str, store: Store, upstream: dict[str, StageRecord]) -> tuple[StageResult, dict[str, float]]:
    from jepa_core import atomic
    from jepa_core.evaluation.benchmark import run_benchmark
    from jepa_core.evaluation.examples import example_searches
    from jepa_core.evaluation.report import ReportContext, markdown_table, write_report
    from jepa_core.patch_store import stored_sensors
    from jepa_core.tables import PAIRS, read_table

    model = upstream[f"{variant}_model"]
    pairs, sensors = read_table(store.pairs, PAIRS), stored_sensors(store)
    results = run_benchmark(store, variant, model.data_version, pairs, sensors)
    examples = example_searches(store, variant, model.data_version, pairs, sensors)
    context = ReportContext(
        variant=variant,
        model=model.data_version,
        pairs_version=upstream[PATCH_PAIRS.name].data_version,
        train_pairs=model.summary["training_pairs"],
        size=model.summary["size"],
        steps=model.summary["steps"],
        seed=model.summary["seed"],
        parameters=model.summary["parameters"],
        training_seconds=model.summary["steps"] * model.summary["seconds_per_step"],
        archive=atomic.read_json(store.root / "root.json")["archive"],
    )
    folder = store.benchmark(variant)
    write_report(folder, results, context, pictures={"Searches from radar to optical": examples})
    figures = {}
    for result in results:
        name = search_name(result.query, result.gallery, result.pair)
        if not result.serves:
            figures[f"f1_at_5_other_head/{name}"] = result.f1_at_5
            continue
        # MLflow takes no "@" in a metric's name.
        figures[f"f1_at_5/{name}"] = result.f1_at_5
        figures[f"chance/{name}"] = result.chance
        figures[f"band_statistics/{name}"] = result.band_statistics
    stage_result = StageResult(
        outputs=[folder],
        summary={"report": str((folder / "report.html").relative_to(store.root)), "model": model.data_version},
        pictures={"searches": examples},
        tables={"results": markdown_table(results)},
    )
    return stage_result, figures
