"""Descriptors to an index; selected alone, it first has made what is missing upstream."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.stages import size_of
from jepa_core.store import Store
from pipelines.bootstrap import bootstrap, stale_upstream
from pipelines.chain import index_stage
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, missing_upstream, plain_errors, run_stage

if TYPE_CHECKING:
    from jepa_core.index.state import IndexState


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
            from jepa_core.index.state import read_state
            from jepa_core.index.sync import sync_index

            store = workspace.store()
            model = current_model(store, variant)
            sensors = (SENTINEL1.name, SENTINEL2.name)
            done = sync_index(store, variant, model.fingerprint, model.folder, sensors, say=context.log.info)
            folder = store.index(variant, model.fingerprint)
            return StageResult(outputs=[folder], summary={**asdict(done), **_about(read_state(folder), folder, store)})

        return run_stage(stage, context, workspace, {}, work)

    return _index


def _about(state: "IndexState", folder: Path, store: Store) -> dict[str, Any]:
    """What the index consists of, for the asset's metadata."""
    about: dict[str, Any] = {
        "folder": str(folder.relative_to(store.root)),
        "model": state.model,
        "bytes": size_of(folder),
        "dimension": state.dimension,
    }
    for sensor, part in state.sensors.items():
        about[f"{sensor}_patches"] = part.live
        about[f"{sensor}_segments"] = len(part.segments)
        about[f"{sensor}_withdrawn_rows"] = sum(segment.withdrawn_rows for segment in part.segments)
        about[f"{sensor}_search"] = "through lists" if part.coarse else "exact"
        for kind, coarse in part.coarse.items():
            about[f"{sensor}_{kind}_recall_at_10"] = coarse.recall
            about[f"{sensor}_{kind}_probes"] = f"{coarse.probes} of {coarse.lists} lists"
    return about
