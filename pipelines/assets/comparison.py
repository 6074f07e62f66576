"""The variants' benchmarks to one report, tracked in MLflow."""

from collections.abc import Sequence

import dagster as dg

from jepa_core.store import Store
from pipelines.assets.benchmarks import EXPERIMENT, search_name
from pipelines.chain import comparison_stage
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, run_stage


def comparison_asset(variants: Sequence[str]) -> dg.AssetsDefinition:
    """The asset `benchmark_comparison` over the benchmarks of some variants."""
    stage = comparison_stage(variants)

    @dg.asset(
        name=stage.name,
        group_name="benchmarks",
        deps=list(stage.upstream),
        code_version=stage.version,
        kinds={"mlflow", "html"},
        description=f"F1@5 of {', '.join(variants)} side by side, beside chance and a baseline.",
    )
    def _comparison(
        context: dg.AssetExecutionContext, workspace: Workspace, tracking: Tracking
    ) -> dg.MaterializeResult[None]:
        def work(inputs: StageInputs) -> StageResult:
            store = workspace.store()
            parameters = {"variants": ", ".join(variants)}
            with tracking.run(store, context, EXPERIMENT, inputs.fingerprint, parameters) as run:
                result, figures = _compare(variants, store)
                result.links["mlflow_run"] = run.url
                run.log_figures(figures)
                for file in sorted(store.comparison.iterdir()):
                    run.log_file(file)
            return result

        return run_stage(stage, context, workspace, {}, work)

    return _comparison


def _compare(variants: Sequence[str], store: Store) -> tuple[StageResult, dict[str, float]]:
    from jepa_core.evaluation.comparison import compare, markdown_comparison, write_comparison
    from jepa_core.evaluation.report import read_report

    comparison = compare([read_report(store.benchmark(variant)) for variant in variants])
    write_comparison(store.comparison, comparison)
    figures = {}
    for line in comparison.lines:
        columns = {**line.f1_at_5, "chance": line.chance, "band_statistics": line.band_statistics}
        name = search_name(line.query, line.gallery, line.pair)
        figures.update({f"f1_at_5/{name}/{column}": figure for column, figure in columns.items()})
    stage_result = StageResult(
        outputs=[store.comparison],
        summary={"report": str((store.comparison / "report.html").relative_to(store.root))},
        tables={"results": markdown_comparison(comparison)},
    )
    return stage_result, figures
