"""What is missing or stale upstream of an index, made first, in the same Dagster instance."""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from jepa_core.stages import read_record
from jepa_core.staleness import Staleness, recorded_version, stale_steps
from pipelines.chain import chain_to_index
from pipelines.last_time import last_settings
from pipelines.resources import Tracking, Workspace
from pipelines.stage import Stage, listed_version, lost_in_run


def stale_upstream(variant: str, workspace: Workspace) -> dict[str, Staleness]:
    """Stages upstream of the variant's index that have to run, in order, each with the reason."""
    return stale_steps(chain_to_index(variant), workspace.store(), partial(listed_version, workspace))


def stale_without_listing(variant: str, workspace: Workspace, run: str) -> dict[str, Staleness]:
    """The same, with the archive taken to be as it was; what the run has seen to be whole is not looked at again."""
    store = workspace.store()
    lost = lost_in_run(store, run)
    return stale_steps(chain_to_index(variant), store, lambda sensor, _: recorded_version(store, sensor), lost)


def bootstrap(
    variant: str,
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    tracking: Tracking,
) -> None:
    """Materializes what is stale upstream of the variant's index, with the settings that each was last made with.

    Args:
        variant: name of the method.
        context: of the index's asset; the nested run is stored in its instance.
        workspace: archive and data root.
        tracking: MLflow.
    """
    stale = stale_upstream(variant, workspace)
    if not stale:
        return
    stages = [stage for stage in chain_to_index(variant) if stage.name in stale]
    busy = [stage for stage in stages if stale[stage.name].work]
    lines = [f"  {stage.name}, which {stale[stage.name].reason}" for stage in stages]
    context.log.info(
        f"{variant}_index materializes first what is missing or stale, in about {_estimate(busy, workspace)}:\n"
        + "\n".join(lines)
    )
    config = {
        stage.name: {"config": found} for stage in stages if (found := last_settings(workspace.store(), stage.name))
    }
    # The definitions hold the asset that calls this: they cannot be imported before it is defined.
    from pipelines.definitions import ASSETS, CHECKS

    result = dg.materialize(
        [*ASSETS, *CHECKS],
        selection=dg.AssetSelection.assets(*(stage.name for stage in stages)),
        instance=context.instance,
        resources={"workspace": workspace, "tracking": tracking},
        run_config={"ops": config},
        tags={"jepa/bootstrap_for": context.run.run_id},
    )
    context.add_output_metadata({"bootstrap_run": result.run_id})


def _estimate(stages: Sequence[Stage], workspace: Workspace) -> str:
    store = workspace.store()
    seconds = 0.0
    for stage in stages:
        record = read_record(store, stage.name)
        seconds += stage.typical_seconds if record is None else record.seconds
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
