"""The variants' benchmarks to one report, tracked in MLflow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from jepa_core.store import Store
from pipelines.assets.benchmarks import EXPERIMENT, metric_name, search_name, shown_pictures
from pipelines.chain import comparison_stage
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, run_stage

if TYPE_CHECKING:
    from jepa_core.evaluation.compared import Comparison


def comparison_asset(variants: Sequence[str]) -> dg.AssetsDefinition:
    """The asset `benchmark_comparison` over the benchmarks of some variants."""
    stage = comparison_stage(variants)

    @dg.asset(
        name=stage.name,
        group_name="benchmarks",
        deps=list(stage.upstream),
        code_version=stage.version,
        kinds={"mlflow", "html"},
        description=f"Benchmarks of {', '.join(variants)} side by side, with tests of what sets them apart.",
    )
    def _comparison(
        context: dg.AssetExecutionContext, workspace: Workspace, tracking: Tracking
    ) -> dg.MaterializeResult[None]:
        def work(inputs: StageInputs) -> StageResult:
            from jepa_core.evaluation.side_by_side import side_by_side

            store = workspace.store()
            parameters = {"variants": ", ".join(variants)}
            with tracking.run(store, context, EXPERIMENT, inputs.fingerprint, parameters) as run:
                comparison = side_by_side(store, variants)
                run.log_figures(_figures(comparison))
                for file in sorted(store.comparison.iterdir()):
                    run.log_file(file)
                return _result(store, comparison, run.url)

        return run_stage(stage, context, workspace, {}, work)

    return _comparison


def _result(store: Store, comparison: "Comparison", link: str) -> StageResult:
    from jepa_core.evaluation.markdown import markdown_comparison

    return StageResult(
        outputs=[store.comparison],
        summary={"report": str((store.comparison / "report.html").relative_to(store.root))},
        pictures=shown_pictures(store.comparison, ("recall-by-rank",)),
        tables={"results": markdown_comparison(comparison)},
        links={"mlflow_run": link},
    )


def _figures(comparison: "Comparison") -> dict[str, float]:
    figures = {}
    for line in comparison.lines:
        name = search_name(line.search)
        columns = {variant: figure.value for variant, figure in line.figures.items()}
        columns |= {"chance": line.chance, **line.baselines}
        figures.update({f"{metric_name(line.metric)}/{name}/{column}": value for column, value in columns.items()})
    return figures
