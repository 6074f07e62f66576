"""What is the same for every stage: do nothing where nothing changed, else work, record, show."""

import base64
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from jepa_core import atomic
from jepa_core.chain import Step
from jepa_core.errors import JepaError
from jepa_core.sensors import Sensor
from jepa_core.stages import StageRecord, lost_output, read_record, size_of, write_record
from jepa_core.staleness import Lost, is_current, wanted, whole_upstream
from jepa_core.store import Store
from pipelines.acquire import acquisitions
from pipelines.faults import plain_errors
from pipelines.resources import Workspace

if TYPE_CHECKING:
    from jepa_core.acquisitions import Acquisitions

UNATTENDED = "jepa/unattended"
"""Tag of runs that are launched again and again."""

_SHOWN = 20
"""Outputs listed in an asset's metadata; there is one a scene or more."""


@dataclass(frozen=True)
class Stage(Step):
    """One step of the chain, which is one asset."""

    typical_seconds: float = 1.0
    """On the sample with two CPU cores, downloads included: the estimate before the first run."""

    remedy: str = ""
    """What to select to make all that it needs; by default itself with all upstream."""


@dataclass(frozen=True)
class StageResult:
    """What a stage's work gave."""

    outputs: Iterable[Path]
    """Files and folders that it wrote; gone or cut short, the stage is no longer current."""

    summary: dict[str, Any]
    """Counts and figures for the asset's metadata."""

    data_version: str | None = None
    """Of what came out, where the stage's fingerprint does not say it (trained weights)."""

    pictures: dict[str, bytes] = field(default_factory=dict)
    """PNGs for the asset's metadata, by name."""

    tables: dict[str, str] = field(default_factory=dict)
    """Markdown for the asset's metadata, by name."""

    links: dict[str, str] = field(default_factory=dict)
    """Addresses for the asset's metadata, by name."""


@dataclass(frozen=True)
class StageInputs:
    """What a stage's work is given."""

    fingerprint: str
    """Of this run of the stage."""

    upstream: dict[str, StageRecord]
    """Records of the upstream stages, by name."""

    acquisitions: "Acquisitions | None"
    """What lies in the archive, for a stage that reads it."""

    previous: StageRecord | None
    """Of what it made before, where that is whole."""


class MissingUpstreamError(JepaError):
    """Something upstream was not made yet, or is lost."""


def run_stage(
    stage: Stage,
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    config: Mapping[str, Any],
    work: Callable[[StageInputs], StageResult],
    anew: bool = False,
    look: "Callable[[], Acquisitions] | None" = None,
) -> dg.MaterializeResult[None]:
    """Runs a stage's work, unless its record says that there is nothing to do.

    Args:
        stage: the stage.
        context: of its asset.
        workspace: archive and data root.
        config: its settings.
        work: does the work.
        anew: also where other data leave a stage that stands as it is.
        look: what lies in the archive, for a stage that reads it.

    Raises:
        dagster.Failure: what the library says is wrong, in its words; for missing upstream, the command to run.
        dagster.RetryRequested: for what may pass.
    """
    with ExitStack() as stack:
        stack.enter_context(plain_errors(context))
        stack.enter_context(workspace.changing(stage.name, context.log.info))
        store = workspace.store()
        stack.enter_context(store.locked(stage.name, waiting=context.log.info))
        record = read_record(store, stage.name)
        previous = record if record is not None and lost_output(store, record) is None else None
        inputs = _inputs(stage, store, context.run.run_id)
        found = None if look is None else look()
        now = wanted(stage, config, inputs, None if found is None else found.version)
        if previous is not None and is_current(stage, previous, now, anew):
            context.log.info(f"{stage.name} is current: nothing to do")
            if previous.config != dict(config):
                # Settings that change no result are remembered, too.
                previous = replace(previous, config=dict(config))
                write_record(store, previous)
            return _found_whole(previous, context, store)
        started = time.perf_counter()
        result = work(StageInputs(now.fingerprint, inputs, found, previous))
        record = StageRecord(
            stage=stage.name,
            fingerprint=now.fingerprint,
            data_version=result.data_version or now.fingerprint,
            config=dict(config),
            inputs=now.inputs,
            outputs={str(path.relative_to(store.root)): size_of(path) for path in result.outputs},
            summary=result.summary,
            seconds=time.perf_counter() - started,
            making=now.making,
        )
        _write_shown(store, stage.name, result)
        write_record(store, record)
        context.log.info(f"{stage.name} took {record.seconds:.1f} s: {record.summary}")
        _whole_in_run.note(context.run.run_id, record)
        return _materialized(context, store, record, did_work=True)


def as_it_is(
    stage: Stage, context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None] | None:
    """What there is of a stage, however old, is gone on with; None where it was never made.

    Raises:
        dagster.Failure: what there was is lost; the message names the command to run.
    """
    with plain_errors(context):
        store = workspace.store(stage.name)
        record = read_record(store, stage.name)
        if record is None:
            context.log.info(f"there is no {stage.name}: nothing comes of it in this run, nor of what follows it")
            return None
        lost = lost_output(store, record)
        if lost is not None:
            raise MissingUpstreamError(
                f"{stage.name} has lost {lost}, and is not made in this run. Run: {_remedy(stage)}"
            )
        return _found_whole(record, context, store)


def _found_whole(record: StageRecord, context: dg.AssetExecutionContext, store: Store) -> dg.MaterializeResult[None]:
    _whole_in_run.note(context.run.run_id, record)
    return _materialized(context, store, record, did_work=False)


class _WholeInRun:
    """Which stages a run has made, or found whole: what follows them in the same run need not look again.

    Looking costs a moment for each scene of the archive, and there are several stages behind most.
    """

    def __init__(self) -> None:
        self._run = ""
        self._whole: dict[str, str] = {}

    def note(self, run: str, record: StageRecord) -> None:
        """Remembers a record of which all outputs stand."""
        if run != self._run:
            self._run, self._whole = run, {}
        self._whole[record.stage] = record.fingerprint

    def holds(self, run: str, record: StageRecord) -> bool:
        """Whether the run has seen that all outputs of the record stand."""
        return run == self._run and self._whole.get(record.stage) == record.fingerprint


_whole_in_run = _WholeInRun()


def missing_upstream(stage: Stage, names: Sequence[str], store: Store) -> MissingUpstreamError:
    """The error for stages that are needed and not there; it names the command to run."""
    return MissingUpstreamError(
        f"{stage.name} needs {', '.join(names)}, which {'is' if len(names) == 1 else 'are'} not whole in {store.root}. "
        f"Run: {_remedy(stage)}"
    )


def _remedy(stage: Stage) -> str:
    return f"dagster asset materialize --select '{stage.remedy or '*' + stage.name}'"


def lost_in_run(store: Store, run: str) -> Lost:
    """Looks at the outputs of records, but for those that the run has made or found whole."""
    return lambda record: None if _whole_in_run.holds(run, record) else lost_output(store, record)


def _inputs(stage: Stage, store: Store, run: str) -> dict[str, StageRecord]:
    whole, missing = whole_upstream(stage, store, lost_in_run(store, run))
    if missing:
        raise missing_upstream(stage, missing, store)
    return whole


def listed_version(workspace: Workspace, sensor: Sensor, config: Mapping[str, Any]) -> str:
    """Version of what the workspace's archive lists of a sensor."""
    return acquisitions(workspace, sensor, config).version


def _write_shown(store: Store, name: str, result: StageResult) -> None:
    shown = {
        "pictures": {k: base64.b64encode(png).decode() for k, png in result.pictures.items()},
        "tables": result.tables,
        "links": result.links,
    }
    atomic.write_json(store.stage_records / "shown" / f"{name}.json", shown)


def _materialized(
    context: dg.AssetExecutionContext, store: Store, record: StageRecord, did_work: bool
) -> dg.MaterializeResult[None]:
    metadata: dict[str, Any] = {
        **record.summary,
        "seconds": record.seconds,
        "did_work": did_work,
        "data_root": dg.MetadataValue.path(store.root),
        "outputs": list(record.outputs)[:_SHOWN],
    }
    shown = atomic.read_json(store.stage_records / "shown" / f"{record.stage}.json")
    # Megabytes, kept for ever in Dagster's history: not several times a day.
    pictures = {} if UNATTENDED in context.run.tags else shown["pictures"]
    for name, png in pictures.items():
        metadata[name] = dg.MetadataValue.md(f"![{name}](data:image/png;base64,{png})")
    for name, table in shown["tables"].items():
        metadata[name] = dg.MetadataValue.md(table)
    for name, address in shown["links"].items():
        metadata[name] = dg.MetadataValue.url(address)
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(record.data_version))
