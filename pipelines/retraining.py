"""Models that are trained anew: on request, or when new scenes no longer look like those of the training."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from jepa_core.stages import read_record
from pipelines.chain import benchmark_stage, descriptors_stage, index_stage, model_stage
from pipelines.last_time import last_settings
from pipelines.reindex import AGAIN, REINDEX, VARIANTS
from pipelines.resources import Workspace
from pipelines.unfinished import UNFINISHED

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

PAUSE_DAYS = 7.0
"""Between two trainings for drift: a model that was rejected would be trained again at once."""


def retraining_job(variant: str) -> "UnresolvedAssetJobDefinition":
    """The job `retrain_<variant>`."""
    stages = [model_stage(variant), descriptors_stage(variant), index_stage(variant), benchmark_stage(variant)]

    @dg.config_mapping(
        config_schema={
            "gate": dg.Field(
                bool, default_value=True, description="The new model serves only if it falls behind in no figure."
            )
        }
    )
    def _as_last_time(config: Mapping[str, Any]) -> dict[str, Any]:
        store = Workspace().store()
        ops: dict[str, Any] = {stage.name: {"config": last_settings(store, stage.name)} for stage in stages}
        ops[model_stage(variant).name]["config"] |= {"training": "anew", "gate": config["gate"]}
        ops[index_stage(variant).name]["config"]["bootstrap"] = False
        return {"ops": ops}

    return dg.define_asset_job(
        _job_name(variant),
        selection=dg.AssetSelection.assets(*(stage.name for stage in stages)),
        config=_as_last_time,
        tags={**AGAIN, "jepa/job": "retrain"},
        description=f"Trains {variant} on the pairs of today, with the settings of last time. The new model takes the "
        "old one's place, and the index is switched, only if it falls behind the old one in no main figure.",
    )


def _job_name(variant: str) -> str:
    return f"retrain_{variant}"


RETRAINING = [retraining_job(variant) for variant in VARIANTS]


@dg.sensor(jobs=RETRAINING, minimum_interval_seconds=600)
def drift(context: dg.SensorEvaluationContext, workspace: Workspace) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Launches a training where the last re-indexing has measured drift, at most once a week for each method."""
    if context.instance.get_runs(dg.RunsFilter(job_name=REINDEX, statuses=UNFINISHED), limit=1):
        yield dg.SkipReason("new acquisitions are being taken in")
        return
    for variant in VARIANTS:
        why = drifted(workspace, variant)
        if why and not _lately(context.instance, variant):
            yield dg.RunRequest(job_name=_job_name(variant), tags={"jepa/trigger": "drift", "jepa/because": why})


def drifted(workspace: Workspace, variant: str) -> str:
    """Which sensors' new scenes no longer look like those that the method's model was trained on; empty: none."""
    from jepa_core.drift import read_drift

    store = workspace.store()
    record = read_record(store, model_stage(variant).name)
    described = read_record(store, descriptors_stage(variant).name)
    if record is None or described is None:
        return ""
    store = workspace.store(described.stage)
    found = read_drift(store, variant, record.data_version, ("sentinel1", "sentinel2"))
    return ", ".join(f"{d.share:.0%} of new {d.sensor} patches are strange" for d in found if d.found)


def _lately(instance: dg.DagsterInstance, variant: str, clock: Callable[[], float] = time.time) -> bool:
    filters = dg.RunsFilter(job_name=_job_name(variant), tags={"jepa/trigger": "drift"})
    newest = instance.get_run_records(filters, limit=1)
    return bool(newest) and clock() - newest[0].create_timestamp.timestamp() < PAUSE_DAYS * 86_400
