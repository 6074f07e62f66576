"""Whether a stage has to run, and why: by its record, by what lies on disk and by what the archive lists."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepa_core.archive.scene import Source
from jepa_core.chain import Step
from jepa_core.sensors import Sensor
from jepa_core.stages import StageRecord, lost_output, read_record, size_of, stage_fingerprint
from jepa_core.store import Store

ArchiveVersion = Callable[[Sensor], str]
"""Version of what the archive holds of a sensor; see `archive_version`."""


@dataclass(frozen=True)
class Staleness:
    """Why a stage has to run."""

    reason: str
    """To be read behind `<stage>, which ...`."""

    missing: bool
    """Whether there is nothing to go on with, rather than something older."""


def archive_version(store: Store, sensor: Sensor, sources: Sequence[Source]) -> str:
    """Version of what the archive holds of a sensor, as a stage counts from it.

    Args:
        store: the data root.
        sensor: the sensor.
        sources: all places of the archive that should hold a scene of it.
    """
    from jepa_core.archive.discover import sources_version
    from jepa_core.patch_store import remote_faults

    # What could not be reached is tried again each time: its part of the version never repeats.
    unreached = remote_faults(store, sensor)
    return sources_version(list(sources)) + (f"-{uuid.uuid4().hex}" if unreached else "")


def whole_upstream(
    step: Step, store: Store, size: Callable[[Path], int] = size_of
) -> tuple[dict[str, StageRecord], list[str]]:
    """Records of the upstream stages whose outputs all stand, by name, and the names of the others."""
    whole = {}
    for name in step.upstream:
        record = read_record(store, name)
        if record is not None and lost_output(store, record, size) is None:
            whole[name] = record
    return whole, [name for name in step.upstream if name not in whole]


def input_versions(step: Step, inputs: Mapping[str, StageRecord], archive: ArchiveVersion) -> dict[str, str]:
    """Data version of each input of a stage; the archive is one."""
    versions = {name: record.data_version for name, record in inputs.items()}
    if step.archive is not None:
        versions["archive"] = archive(step.archive)
    return versions


def why_stale(
    step: Step, store: Store, archive: ArchiveVersion, size: Callable[[Path], int] = size_of
) -> Staleness | None:
    """Why a stage has to run, with the settings of its last run and from what lies on disk; None where it has not.

    Args:
        step: the stage.
        store: the data root.
        archive: is asked for stages that read the archive.
        size: bytes of a file or folder, -1 where there is nothing.
    """
    record = read_record(store, step.name)
    if record is None:
        return Staleness("was never made", missing=True)
    lost = lost_output(store, record, size)
    if lost is not None:
        return Staleness(f"has lost {lost}", missing=True)
    inputs, missing = whole_upstream(step, store, size)
    if missing:
        return Staleness("is made from something that is missing", missing=False)
    if stage_fingerprint(step.name, step.version, record.config, input_versions(step, inputs, archive)) != (
        record.fingerprint
    ):
        return Staleness("is made from something older", missing=False)
    return None


def stale_steps(
    steps: Sequence[Step], store: Store, archive: ArchiveVersion, size: Callable[[Path], int] = size_of
) -> dict[str, Staleness]:
    """Those of some stages that have to run, in order, each with the reason; what comes after one has to, too.

    Args:
        steps: upstream stages before those that read them.
        store: the data root.
        archive: is asked for stages that read the archive.
        size: bytes of a file or folder, -1 where there is nothing.
    """
    stale: dict[str, Staleness] = {}
    for step in steps:
        behind = [name for name in step.upstream if name in stale]
        reason = why_stale(step, store, archive, size)
        if reason is None and behind:
            reason = Staleness(f"comes after {behind[0]}", missing=False)
        if reason is not None:
            stale[step.name] = reason
    return stale
