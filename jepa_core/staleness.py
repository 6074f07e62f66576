"""Whether a stage has to run, and why: by its record, by what lies on disk and by what the archive lists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jepa_core.chain import Step
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor
from jepa_core.stages import StageRecord, lost_output, read_record, stage_fingerprint
from jepa_core.store import Store

ArchiveVersion = Callable[[Sensor, Mapping[str, Any]], str]
"""Version of what the archive holds of a sensor, for a stage with these settings; see `acquisitions.look`."""

Lost = Callable[[StageRecord], str | None]
"""An output of a record that does not stand; see `stages.lost_output`."""


@dataclass(frozen=True)
class Staleness:
    """Why a stage has to run."""

    reason: str
    """To be read behind `<stage>, which ...`."""

    missing: bool
    """Whether there is nothing to go on with, rather than something older."""

    work: bool = True
    """Whether there is anything to do but to look."""


@dataclass(frozen=True)
class Wanted:
    """What a stage's record has to say for the stage to be current."""

    fingerprint: str
    """Over code version, settings and the versions of the inputs."""

    making: str
    """Over code versions and settings, its own and those of all upstream."""

    inputs: dict[str, str]
    """Version of each input; the archive is one."""

    settings: dict[str, Any]
    """Its own settings that change a result."""


def wanted(step: Step, config: Mapping[str, Any], inputs: Mapping[str, StageRecord], archive: str | None) -> Wanted:
    """What the record has to say.

    Args:
        step: the stage.
        config: its settings.
        inputs: records of the upstream stages, by name.
        archive: version of what the archive holds, for a stage that reads it.
    """
    versions = {name: record.data_version for name, record in inputs.items()}
    if archive is not None:
        versions["archive"] = archive
    counting = {name: value for name, value in config.items() if name not in step.idle_settings}
    making = {name: record.making for name, record in inputs.items()}
    return Wanted(
        stage_fingerprint(step.name, step.version, counting, versions),
        fingerprint({"version": step.version, "config": counting, "upstream": making}),
        versions,
        counting,
    )


def is_current(step: Step, record: StageRecord, now: Wanted, anew: bool = False) -> bool:
    """Whether a record says that there is nothing to do.

    Args:
        step: the stage.
        record: what it made.
        now: what it would make.
        anew: whether a stage that stands is to be made for other data, too.
    """
    if record.fingerprint == now.fingerprint:
        return True
    if not step.stands or anew:
        return False
    if record.making:
        return record.making == now.making
    # Records of an older version of this code say nothing of what lies upstream; a model is worth more than a doubt.
    return stage_fingerprint(step.name, step.version, now.settings, record.inputs) == record.fingerprint


def whole_upstream(step: Step, store: Store, lost: Lost | None = None) -> tuple[dict[str, StageRecord], list[str]]:
    """Records of the upstream stages whose outputs all stand, by name, and the names of the others."""
    lost = lost or partial(lost_output, store)
    records = {name: read_record(store, name) for name in step.upstream}
    whole = {name: record for name, record in records.items() if record is not None and lost(record) is None}
    return whole, [name for name in step.upstream if name not in whole]


def recorded_version(store: Store, sensor: Sensor) -> str:
    """Version of the archive at the last extraction, where it is not listed now: the stage is judged by the rest."""
    record = read_record(store, f"{sensor.name}_patches")
    return record.inputs.get("archive", "") if record is not None else ""


def why_stale(step: Step, store: Store, archive: ArchiveVersion, lost: Lost | None = None) -> Staleness | None:
    """Why a stage has to run, with the settings of its last run and from what lies on disk; None where it has not.

    Args:
        step: the stage.
        store: the data root.
        archive: is asked for stages that read the archive.
        lost: looks whether outputs stand; by default at each of them, which takes as long as there are many.
    """
    lost = lost or partial(lost_output, store)
    record = read_record(store, step.name)
    if record is None:
        return Staleness("was never made", missing=True)
    output = lost(record)
    if output is not None:
        return Staleness(f"has lost {output}", missing=True)
    inputs, missing = whole_upstream(step, store, lost)
    if missing:
        return Staleness("is made from something that is missing", missing=False)
    listed = archive(step.archive, record.config) if step.archive is not None else None
    if not is_current(step, record, wanted(step, record.config, inputs, listed)):
        return Staleness("is made from something older", missing=False)
    return None


def stale_steps(
    steps: Sequence[Step], store: Store, archive: ArchiveVersion, lost: Lost | None = None
) -> dict[str, Staleness]:
    """Those of some stages that have to run, in order, each with the reason; what comes after one has to, too.

    Args:
        steps: upstream stages before those that read them.
        store: the data root.
        archive: is asked for stages that read the archive.
        lost: looks whether outputs stand.
    """
    stale: dict[str, Staleness] = {}
    for step in steps:
        behind = [name for name in step.upstream if name in stale]
        reason = why_stale(step, store, archive, lost)
        if reason is None and behind:
            why = "was made already, and is looked at only" if step.stands else f"comes after {behind[0]}"
            reason = Staleness(why, missing=False, work=not step.stands)
        if reason is not None:
            stale[step.name] = reason
    return stale
