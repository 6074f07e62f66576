"""Descriptors to an index; selected alone, it first has made what is missing upstream."""

import dagster as dg
from pydantic import Field

from jepa_core.sensors import SENTINEL1, SENTINEL2
from pipelines.bootstrap import bootstrap, stale_upstream
from pipelines.chain import index_stage
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, missing_upstream, plain_errors, run_stage


class IndexSettings(dg.Config):
    """Settings of an index's materialization."""

    bootstrap: bool = Field(
        default=True,
        description="Materialize what is missing or stale upstream first. Off: what is missing is an error.",
    )


def index_asset(variant: str) -> dg.AssetsDefinition:
    """The asset `<variant>_index`."""
    stage = index_stage(variant)

    @dg.asset(
        name=stage.name,
        group_name="index",
        deps=list(stage.upstream),
        code_version=stage.version,
        kinds={"faiss"},
        description=f"Index over the {variant} descriptors: what `jepa search` reads.",
    )
    def _index(
        context: dg.AssetExecutionContext,
        config: IndexSettings,
        workspace: Workspace,
        tracking: Tracking,
    ) -> dg.MaterializeResult[None]:
        with plain_errors(context):
            if config.bootstrap:
                bootstrap(variant, context, workspace, tracking)
            else:
                stale = stale_upstream(variant, workspace)
                missing = [name for name, why in stale.items() if why.missing]
                if missing:
                    raise missing_upstream(stage, missing, workspace.store())
                for name, why in stale.items():
                    context.log.warning(f"{name} {why.reason}, and bootstrapping is switched off")

        def work(inputs: StageInputs) -> StageResult:
            from jepa_core.catalog import current_model
            from jepa_core.descriptors import read_descriptors
            from jepa_core.index import build_index

            store = workspace.store()
            model = current_model(store, variant).fingerprint
            descriptors = {
                sensor.name: read_descriptors(store, variant, model, sensor) for sensor in (SENTINEL1, SENTINEL2)
            }
            folder = store.index(variant, model)
            count = build_index(folder, variant, model, descriptors)
            size = sum(file.stat().st_size for file in folder.iterdir())
            return StageResult(
                outputs=[folder],
                summary={
                    "folder": str(folder.relative_to(store.root)),
                    "patches": count,
                    **{f"{name}_patches": len(d.patch_ids) for name, d in descriptors.items()},
                    "kind": "exact",
                    "bytes": size,
                    "model": model,
                },
            )

        return run_stage(stage, context, workspace, {}, work)

    return _index
