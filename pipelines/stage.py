"""What is the same for every stage: do nothing where nothing changed, else work, record, show."""

import base64
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.sensors import Sensor
from jepa_core.stages import StageRecord, lost_output, read_record, size_of, stage_fingerprint, write_record
from jepa_core.store import Store
from pipelines.resources import Workspace

_SHOWN = 20
"""Outputs listed in an asset's metadata; there is one a scene or more."""


@dataclass(frozen=True)
class Stage:
    """One step of the chain, which is one asset."""

    name: str
    """Key of the asset."""

    version: str
    """Code version; see `jepa_core.versions`."""

    upstream: tuple[str, ...] = ()
    """Stages whose results it reads."""

    archive: Sensor | None = None
    """Sensor whose scenes it reads from the archive."""

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


class MissingUpstreamError(JepaError):
    """Something upstream was not made yet, or is lost."""


@dataclass(frozen=True)
class Staleness:
    """Why a stage has to run."""

    reason: str
    """To be read behind `<stage>, which ...`."""

    missing: bool
    """Whether there is nothing to go on with, rather than something older."""


@contextmanager
def plain_errors(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turns what the library says is wrong into a failed step with that message, logged on a line of its own.

    Raises:
        dagster.Failure: in place of any `JepaError`.
    """
    try:
        yield
    except JepaError as error:
        # The message is for people; the traceback that Dagster prints around it is not.
        context.log.error(str(error))
        raise dg.Failure(description=str(error), allow_retries=False) from error


def run_stage(
    stage: Stage,
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    config: Mapping[str, Any],
    work: Callable[[StageInputs], StageResult],
) -> dg.MaterializeResult[None]:
    """Runs a stage's work, unless its record says that there is nothing to do.

    Args:
        stage: the stage.
        context: of its asset.
        workspace: archive and data root.
        config: settings that change the results.
        work: does the work.

    Raises:
        dagster.Failure: what the library says is wrong, in its words; for missing upstream, the command to run.
    """
    with ExitStack() as stack:
        stack.enter_context(plain_errors(context))
        stack.enter_context(workspace.changing(stage.name, context.log.info))
        store = workspace.store()
        stack.enter_context(store.locked(stage.name, waiting=context.log.info))
        inputs = _inputs(stage, store)
        versions = _input_versions(stage, workspace, inputs)
        wanted = stage_fingerprint(stage.name, stage.version, config, versions)
        record = read_record(store, stage.name)
        if record is not None and record.fingerprint == wanted and lost_output(store, record) is None:
            context.log.info(f"{stage.name} is current: nothing to do")
            return _materialized(store, record, did_work=False)
        started = time.perf_counter()
        result = work(StageInputs(wanted, inputs))
        record = StageRecord(
            stage=stage.name,
            fingerprint=wanted,
            data_version=result.data_version or wanted,
            config=dict(config),
            inputs=versions,
            outputs={str(path.relative_to(store.root)): size_of(path) for path in result.outputs},
            summary=result.summary,
            seconds=time.perf_counter() - started,
        )
        _write_shown(store, stage.name, result)
        write_record(store, record)
        context.log.info(f"{stage.name} took {record.seconds:.1f} s: {record.summary}")
        return _materialized(store, record, did_work=True)


def why_stale(stage: Stage, workspace: Workspace) -> Staleness | None:
    """Why the stage has to run, with the settings of its last run and from what lies on disk; None where it has not."""
    store = workspace.store(stage.name)
    record = read_record(store, stage.name)
    if record is None:
        return Staleness("was never made", missing=True)
    lost = lost_output(store, record)
    if lost is not None:
        return Staleness(f"has lost {lost}", missing=True)
    try:
        versions = _input_versions(stage, workspace, _inputs(stage, store))
    except MissingUpstreamError:
        return Staleness("is made from something that is missing", missing=False)
    if stage_fingerprint(stage.name, stage.version, record.config, versions) != record.fingerprint:
        return Staleness("is made from something older", missing=False)
    return None


def missing_upstream(stage: Stage, names: Sequence[str], store: Store) -> MissingUpstreamError:
    """The error for stages that are needed and not there; it names the command to run."""
    return MissingUpstreamError(
        f"{stage.name} needs {', '.join(names)}, which {'is' if len(names) == 1 else 'are'} not whole in {store.root}. "
        f"Run: dagster asset materialize --select '{stage.remedy or '*' + stage.name}'"
    )


def _inputs(stage: Stage, store: Store) -> dict[str, StageRecord]:
    whole = {}
    for name in stage.upstream:
        record = read_record(store, name)
        if record is not None and lost_output(store, record) is None:
            whole[name] = record
    missing = [name for name in stage.upstream if name not in whole]
    if missing:
        raise missing_upstream(stage, missing, store)
    return whole


def _input_versions(stage: Stage, workspace: Workspace, inputs: Mapping[str, StageRecord]) -> dict[str, str]:
    versions = {name: record.data_version for name, record in inputs.items()}
    if stage.archive is not None:
        from jepa_core.archive.discover import sources_version
        from jepa_core.patch_store import remote_faults

        sources = workspace.open_archive().sources(stage.archive)
        # What could not be reached is tried again each time: its part of the version never repeats.
        unreached = remote_faults(workspace.store(), stage.archive)
        versions["archive"] = sources_version(sources) + (f"-{uuid.uuid4().hex}" if unreached else "")
    return versions


def _write_shown(store: Store, name: str, result: StageResult) -> None:
    shown = {
        "pictures": {k: base64.b64encode(png).decode() for k, png in result.pictures.items()},
        "tables": result.tables,
        "links": result.links,
    }
    atomic.write_json(store.stage_records / "shown" / f"{name}.json", shown)


def _materialized(store: Store, record: StageRecord, did_work: bool) -> dg.MaterializeResult[None]:
    metadata: dict[str, Any] = {
        **record.summary,
        "seconds": record.seconds,
        "did_work": did_work,
        "data_root": dg.MetadataValue.path(store.root),
        "outputs": list(record.outputs)[:_SHOWN],
    }
    shown = atomic.read_json(store.stage_records / "shown" / f"{record.stage}.json")
    for name, png in shown["pictures"].items():
        metadata[name] = dg.MetadataValue.md(f"![{name}](data:image/png;base64,{png})")
    for name, table in shown["tables"].items():
        metadata[name] = dg.MetadataValue.md(table)
    for name, address in shown["links"].items():
        metadata[name] = dg.MetadataValue.url(address)
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(record.data_version))
