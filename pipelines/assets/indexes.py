"""Descriptors to an index; selected alone, it first has made what is missing upstream."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.stages import size_of
from jepa_core.store import Store
from pipelines.bootstrap import bootstrap, stale_without_listing
from pipelines.chain import index_stage
from pipelines.faults import plain_errors
from pipelines.resources import Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, missing_upstream, run_stage


class IndexSettings(dg.Config):
    """Settings of an index's materialization."""

    bootstrap: bool = Field(
        default=True,
        description="Materialize what is missing or stale upstream first. Off: what is missing is an error.",
    )
    scenes_per_shard: int | None = Field(
        default=None,
        ge=1,
        description="Cut the index into shards of so many scenes, by time. Ranges that are closed stay.",
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
        # Indexes change when acquisitions come: one that does not is a feed that has dried up.
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=14), warn_window=timedelta(days=7)),
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
                stale = stale_without_listing(variant, workspace, context.run.run_id)
                missing = [name for name, why in stale.items() if why.missing]
                if missing:
                    raise missing_upstream(stage, missing, workspace.store())
                for name, why in stale.items():
                    context.log.warning(f"{name} {why.reason}, and bootstrapping is switched off")

        def work(inputs: StageInputs) -> StageResult:
            from jepa_core.catalog import current_model
            from jepa_core.index.quality import TARGET
            from jepa_core.index.sync import sync_index

            store = workspace.store()
            described = inputs.upstream[f"{variant}_descriptors"].summary
            # Records of an older version do not name it.
            named = described.get("model_folder")
            folder = store.root / named if named else current_model(store, variant).folder
            done = sync_index(
                store,
                variant,
                described["model"],
                folder,
                (SENTINEL1.name, SENTINEL2.name),
                config.scenes_per_shard,
                say=context.log.info,
            )
            built = store.index(variant, described["model"])
            about = _about(store, variant)
            for name, recall in about.items():
                if name.endswith("_least_recall_at_10") and recall < TARGET:
                    context.log.warning(f"{name} is {recall:.3f}, below {TARGET}: searches miss more than they should")
            return StageResult(outputs=[built], summary={**asdict(done), **about})

        return run_stage(stage, context, workspace, {"scenes_per_shard": config.scenes_per_shard}, work)

    return _index


def _about(store: Store, variant: str) -> dict[str, Any]:
    """What the index consists of, for the asset's metadata."""
    from jepa_core.index.sync import current_index, states

    index = current_index(store, variant)
    shards = [state for _, state in states(index)]
    # Shards are of one model, but those without a scene know no dimensions.
    dimensions = next((state.dimensions for state in shards if state.dimensions), {})
    about: dict[str, Any] = {
        "folder": str(index.folder.relative_to(store.root)),
        "model": index.model,
        "bytes": size_of(index.folder),
        "dimensions": ", ".join(f"{kind} {size}" for kind, size in dimensions.items()),
        "shards": len(shards),
    }
    for sensor in sorted({name for state in shards for name in state.sensors}):
        parts = [state.sensors[sensor] for state in shards if sensor in state.sensors]
        about[f"{sensor}_patches"] = sum(part.live for part in parts)
        about[f"{sensor}_segments"] = sum(len(part.segments) for part in parts)
        about[f"{sensor}_withdrawn_rows"] = sum(s.withdrawn_rows for part in parts for s in part.segments)
        coarse = [found for part in parts for found in part.coarse.values()]
        about[f"{sensor}_search"] = "through lists" if coarse else "exact"
        if coarse:
            about[f"{sensor}_least_recall_at_10"] = min(found.recall for found in coarse)
    return about
