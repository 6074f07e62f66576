"""Patches to descriptors, by a variant's model."""

from dataclasses import asdict

import dagster as dg
from pydantic import Field

from pipelines.chain import descriptors_stage
from pipelines.resources import Workspace
from pipelines.stage import StageInputs, StageResult, run_stage


class DescriptorSettings(dg.Config):
    """Settings of a describing."""

    processes: int = Field(
        default=1,
        ge=1,
        description="Processes that share the scenes, one an accelerator; each takes seconds to start.",
    )


def descriptors_asset(variant: str) -> dg.AssetsDefinition:
    """The asset `<variant>_descriptors`."""
    stage = descriptors_stage(variant)

    @dg.asset(
        name=stage.name,
        group_name="descriptors",
        deps=list(stage.upstream),
        code_version=stage.version,
        kinds={"torch", "parquet"},
        description=f"Unit vectors of all patches by the {variant} model, for both kinds of search.",
    )
    def _descriptors(
        context: dg.AssetExecutionContext, config: DescriptorSettings, workspace: Workspace
    ) -> dg.MaterializeResult[None]:
        def work(inputs: StageInputs) -> StageResult:
            from jepa_core.describing.archive import describe_archive
            from jepa_core.descriptors import descriptor_files
            from jepa_core.drift import drift_figures, measure_drift
            from jepa_core.model import load_model

            store = workspace.store()
            # As the record said when this stage began: a training may end meanwhile.
            folder = inputs.upstream[f"{variant}_model"].summary["folder"]
            model = load_model(store.root / folder)
            summary = describe_archive(store, model, config.processes)
            drifts = measure_drift(store, variant, model.fingerprint, list(model.variant.sensors))
            files = descriptor_files(store, model)
            about = {**asdict(summary), "model": model.fingerprint, "model_folder": folder, **drift_figures(drifts)}
            return StageResult(outputs=files, summary=about)

        return run_stage(stage, context, workspace, config.model_dump(), work)

    return _descriptors
