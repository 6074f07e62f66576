"""What is there: the archive, and what was made of it. Nothing is written, and nothing large is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jepa_core import versions
from jepa_core.acquisitions import Acquisitions
from jepa_core.archive.discover import archive_identity
from jepa_core.chain import Step, benchmark_step, comparison_step, ingest_steps, steps_of
from jepa_core.errors import JepaError
from jepa_core.operating.disk import Disk, disk_use
from jepa_core.operating.inventory import variants_there
from jepa_core.operating.listing import Listed, archive_there, known_places, listed, listed_now
from jepa_core.operating.tried import Tried
from jepa_core.operating.variant_status import VariantStatus, variant_status
from jepa_core.operating.working import holders
from jepa_core.patch_store import read_manifest, read_quarantine
from jepa_core.sensors import SENSORS, Sensor
from jepa_core.settings import Settings
from jepa_core.stages import lost_output, read_record, size_of
from jepa_core.staleness import recorded_version, stale_steps
from jepa_core.store import Store

_REASONS = 3
"""Of places in quarantine that are shown."""


@dataclass(frozen=True)
class SensorStatus:
    """A sensor's scenes, in the archive and cut."""

    listed: Listed | None
    """What the archive lists now; None where it could not be asked, or was not to be."""

    scenes: int
    """In the manifest."""

    patches: int
    """In the manifest."""

    replaced: int
    """Places that hold an earlier processing, or a copy, of a scene in the manifest."""

    quarantined: int
    """Places that should hold a scene and could not be read."""

    reasons: tuple[str, ...]
    """Of the first in quarantine, single patches of scenes that stand among them."""

    waiting: int
    """Of the quarantined those that are tried again by themselves: they could not be reached."""

    extracted: str | None
    """When the last extraction ended that had something to do, ISO 8601, UTC."""


@dataclass(frozen=True)
class PairsStatus:
    """The table of pairs."""

    pairs: int
    """How many."""

    training: int
    """Of these, in the training split."""


@dataclass(frozen=True)
class Status:
    """A data root at one moment."""

    data: str
    """The data root."""

    archive: str
    """Root of the archive, or `sample`."""

    made: bool
    """Whether anything was made yet."""

    sensors: dict[str, SensorStatus]
    """By name."""

    pairs: PairsStatus | None
    """None where nothing was paired."""

    variants: dict[str, VariantStatus]
    """By name, those of which anything is there."""

    stale: dict[str, str] | None
    """Stages that have to run, in order, each with the reason; None where that cannot be known."""

    at_work: dict[str, str]
    """Who is working, by what is worked on."""

    disk: Disk
    """Bytes on disk."""

    problems: tuple[str, ...]
    """What could not be read."""


def status(settings: Settings, listing: bool = True) -> Status:
    """Looks at a data root and its archive.

    Args:
        settings: name both.
        listing: whether the archive is listed; else nothing is said of what is new in it.

    Raises:
        MixedDataError: the data root holds products of another archive.
    """
    store = Store.at(settings.data_folder)
    store.check_bound(archive_identity(settings))
    tried = Tried()
    # The same folders are looked at for the stages and for the sum of it all.
    size = lru_cache(maxsize=None)(size_of)
    found: dict[str, Acquisitions] = {}
    for sensor in SENSORS.values() if listing else ():
        at_sensor = tried(partial(_found, settings, store, sensor), None)
        if at_sensor is not None:
            found[sensor.name] = at_sensor
    sensors = {name: _sensor(store, sensor, found.get(name), tried) for name, sensor in SENSORS.items()}
    variants = variants_there(store)
    return Status(
        data=str(store.root),
        archive=archive_identity(settings),
        made=bool(variants) or store.stage_records.is_dir() or any(sensor.scenes for sensor in sensors.values()),
        sensors=sensors,
        pairs=tried(lambda: _pairs(store), None),
        variants={name: variant_status(store, name, tried) for name in variants},
        stale=tried(lambda: _stale(store, variants, found, size), None),
        at_work=holders(store),
        disk=disk_use(store, size, tried.problems.append),
        problems=tuple(dict.fromkeys(tried.problems)),
    )


def _found(settings: Settings, store: Store, sensor: Sensor) -> Acquisitions:
    return listed_now(store, archive_there(settings, store), sensor)


def _sensor(store: Store, sensor: Sensor, found: Acquisitions | None, tried: Tried) -> SensorStatus:
    manifest = tried(lambda: read_manifest(store, sensor), None)
    quarantine = tried(lambda: read_quarantine(store, sensor), None)
    known = tried(lambda: known_places(store, sensor), None) or {}
    states = [(row["state"], row["remote"]) for row in known.values()]
    reasons = (
        ()
        if quarantine is None
        else tuple(f"{row.place}: {row.reason}" for row in quarantine.head(_REASONS).itertuples())
    )
    return SensorStatus(
        listed=None if found is None else listed(found),
        scenes=0 if manifest is None else len(manifest),
        patches=0 if manifest is None else int(manifest["patches"].sum()),
        replaced=sum(state == "replaced" for state, _ in states),
        quarantined=sum(state == "quarantined" for state, _ in states),
        reasons=reasons,
        waiting=sum(state == "quarantined" and remote for state, remote in states),
        extracted=_written(store.stage_records / f"{sensor.name}_patches.json")
        or _written(store.patches(sensor) / "manifest.parquet"),
    )


def _pairs(store: Store) -> PairsStatus | None:
    if not store.pairs.exists():
        return None
    try:
        split = pq.read_table(store.pairs, columns=["split"])["split"]
    except pyarrow.ArrowException as error:
        raise JepaError(f"{store.pairs} is not readable as parquet ({error}); delete it and pair again") from error
    return PairsStatus(len(split), int(pc.sum(pc.equal(split, "train")).as_py() or 0))


def _stale(
    store: Store, variants: Sequence[str], found: Mapping[str, Acquisitions], size: Callable[[Path], int]
) -> dict[str, str]:
    def version(sensor: Sensor, _: Mapping[str, Any]) -> str:
        if sensor.name in found:
            return found[sensor.name].version
        return recorded_version(store, sensor)

    every = comparison_step(tuple(versions.MODEL))
    # Whoever never asked for a benchmark does not wait for one.
    asked = {benchmark_step(v).name for v in variants if read_record(store, benchmark_step(v).name)}
    steps: list[Step] = [*ingest_steps()]
    for variant in variants:
        steps += [s for s in steps_of(variant) if s.name in asked or s.name != benchmark_step(variant).name]
    if read_record(store, every.name):
        steps.append(every)
    stale = stale_steps(steps, store, version, partial(lost_output, store, size=size))
    return {name: why.reason for name, why in stale.items() if why.work}


def _written(path: Path) -> str | None:
    return f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}" if path.exists() else None
