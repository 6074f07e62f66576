"""When new acquisitions are taken in: a sensor that looks every half minute, and a schedule that looks at night."""

import itertools
import time
from dataclasses import dataclass, field

import dagster as dg

from jepa_core.fingerprint import fingerprint
from jepa_core.stages import read_record
from jepa_core.staleness import stale_steps
from jepa_core.store import Store
from pipelines.acquire import acquisitions
from pipelines.chain import model_stage
from pipelines.reindex import AT_MOST, REINDEX, VARIANTS, reindex_new_acquisitions, reindex_stages
from pipelines.resources import Workspace
from pipelines.stage import Stage
from pipelines.unfinished import UNFINISHED

INTERVAL_S = 30
"""Between two looks of the sensor."""

NIGHTLY = "0 2 * * *"
"""When the schedule looks, UTC."""

FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True)
class Todo:
    """What is to be done to have the indexes show the archive as it is."""

    stages: tuple[Stage, ...]
    """What a run is made of: all stages of the job but those of methods without a model."""

    reasons: dict[str, str]
    """Why, by stage; empty: there is nothing to do."""

    changes: dict[str, str] = field(default_factory=dict)
    """What the archive has new, by sensor, in figures."""

    state: str = ""
    """Fingerprint of what a run would lead to, by which it is told whether this very thing was tried before."""


def to_do(workspace: Workspace, thorough: bool) -> Todo:
    """Holds the archive and the records of all stages against each other.

    Args:
        workspace: archive and data root.
        thorough: also whether what was made still stands, which takes as long as there is much.
    """
    store = workspace.store()
    stages = tuple(reindex_stages(tuple(v for v in VARIANTS if read_record(store, model_stage(v).name))))
    for stage in stages if thorough else ():
        # What lies in object storage is fetched before it is looked at.
        workspace.store(stage.name)
    found = {}
    for stage in stages:
        if stage.archive is not None:
            record = read_record(store, stage.name)
            config = record.config if record is not None else {}
            found[stage.archive.name] = acquisitions(workspace, stage.archive, config, AT_MOST)
    # A model is never made here, whatever it is made from.
    stale = stale_steps(
        [stage for stage in stages if not stage.stands],
        store,
        lambda sensor, _: found[sensor.name].version,
        None if thorough else lambda _: None,
    )
    reasons = {name: why.reason for name, why in stale.items()}
    changes = {name: f"+{len(of.new)} ~{len(of.changed)} -{len(of.gone)}" for name, of in found.items()}
    state = fingerprint({"archive": {name: of.version for name, of in found.items()}, "reasons": reasons})
    return Todo(stages, reasons, changes, state)


@dg.sensor(job=reindex_new_acquisitions, minimum_interval_seconds=INTERVAL_S)
def new_acquisitions(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.RunRequest | dg.SkipReason:
    """Looks whether the archive has something that the indexes have not, and launches the job that takes it in."""
    return _request(context.instance, workspace, "sensor", thorough=False)


@dg.schedule(job=reindex_new_acquisitions, cron_schedule=NIGHTLY)
def nightly(context: dg.ScheduleEvaluationContext, workspace: Workspace) -> dg.RunRequest | dg.SkipReason:
    """The same at night; and whether all that was made still stands."""
    return _request(context.instance, workspace, "schedule", thorough=True)


def _request(
    instance: dg.DagsterInstance, workspace: Workspace, trigger: str, thorough: bool
) -> dg.RunRequest | dg.SkipReason:
    """A run, where there is something to do, none is under way, and the last try was not a moment ago.

    No run key is given: Dagster remembers those for ever, and would never again launch what once failed.
    """
    if instance.get_runs(dg.RunsFilter(job_name=REINDEX, statuses=UNFINISHED), limit=1):
        return dg.SkipReason("a run is under way; what it leaves is looked at behind it")
    todo = to_do(workspace, thorough)
    if not todo.reasons:
        return dg.SkipReason("nothing new in the archive, and nothing stale")
    pause = _pause(instance, todo.state)
    if pause > 0:
        return dg.SkipReason(f"the same was tried a moment ago and is still to be done; trying again in {pause:.0f} s")
    return dg.RunRequest(
        asset_selection=[dg.AssetKey(stage.name) for stage in todo.stages],
        tags={"jepa/trigger": trigger, "jepa/state": todo.state, **_told(todo, workspace.store())},
    )


def _told(todo: Todo, store: Store) -> dict[str, str]:
    first = next(iter(todo.reasons.items()))
    changes = {f"jepa/{name}": what for name, what in todo.changes.items()}
    return {**changes, "jepa/because": f"{first[0]} {first[1]}"[:250], "jepa/data": str(store.root)}


def _pause(instance: dg.DagsterInstance, state: str) -> float:
    """Seconds until the same may be tried again: each time in a row twice as long, up to an hour."""
    newest = instance.get_run_records(dg.RunsFilter(job_name=REINDEX), limit=10)
    tried = list(itertools.takewhile(lambda record: record.dagster_run.tags.get("jepa/state") == state, newest))
    if not tried:
        return 0.0
    ended = tried[0].end_time or tried[0].update_timestamp.timestamp()
    return ended + min(FIRST_PAUSE_S * 2.0 ** (len(tried) - 1), LONGEST_PAUSE_S) - time.time()
