"""The archive's scenes to patches: what is new or changed is cut, what is bad is set aside, what is gone withdrawn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import rasterio

from jepa_core.archive.scene import ArchiveError, Fault, Source
from jepa_core.candidates import Candidate, by_acquisition, candidates_of, read_scene
from jepa_core.cutting import CutConfig
from jepa_core.ledger import Ledger
from jepa_core.patch_files import UnwantedError, write_scene
from jepa_core.progress import SceneProgress
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import InvalidTableError
from jepa_core.trouble import passes, plain_machine_errors, raise_of_machine

_GDAL = {
    # In bytes. One row of blocks of all bands of a Sentinel-2 tile, or the lines that a strip of two radar bands
    # crosses: less, and blocks are decoded many times.
    "GDAL_CACHEMAX": 640_000_000,
    # Remote files: faults that pass are tried again before a scene is given up.
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
    # Seconds: a server that keeps silent is given up.
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_LOW_SPEED_TIME": 30,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,
    # A file that could not be had is asked for again by the next run, also in this process.
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/:/vsigs/:/vsiaz/",
}


@dataclass(frozen=True)
class ExtractionSummary:
    """What an extraction did."""

    scenes: int
    """Scenes in the manifest afterwards."""

    patches: int
    """Patches in the manifest afterwards."""

    scenes_new: int
    """Scenes that were cut now, because they were new or had changed."""

    scenes_recut: int
    """Of those, scenes that were in the manifest before."""

    scenes_withdrawn: int
    """Scenes that were in the manifest and are not any more: gone from the archive, replaced or now unreadable."""

    scenes_replaced: int
    """Places in the archive that hold an older processing, or a copy, of a scene in the manifest."""

    scenes_quarantined: int
    """Places in the archive that should hold a scene, and do not."""

    scenes_coming: int
    """Places that hold a scene that is not whole yet, or whose turn has not come."""

    patches_quarantined: int
    """Patches that a set brings cut and that could not be read, in scenes that stand."""

    scenes_waiting: int
    """Of the places in quarantine, those that are tried again by themselves."""

    next_attempt: str
    """When the first of them is; empty where there is none."""

    share_quarantined: float
    """Of all places that should hold a scene, or of all patches: the larger share."""

    bytes: int
    """Of all scenes in the manifest."""


def extract(
    store: Store, sources: Sequence[Source], sensor: Sensor, config: CutConfig, coming: Collection[str] = ()
) -> ExtractionSummary:
    """Brings the sensor's patches in line with the archive; only what is new or changed is read.

    Of several processings of one acquisition, the latest that can be read is kept: by level, then baseline, then
    time of processing.

    Args:
        store: the data root.
        sources: all places of the archive that should hold a scene of the sensor.
        sensor: the sensor, with the bands that are wanted.
        config: settings of the cutting.
        coming: places that are there too and are not to be looked at now: what became of them before stands.

    Raises:
        ArchiveError: not one scene could be cut.
        MachineError: the data root cannot be written to, or memory or open files do not suffice.
    """
    with plain_machine_errors(store.root):
        return _extract(store, sources, sensor, config, coming)


def _extract(
    store: Store, sources: Sequence[Source], sensor: Sensor, config: CutConfig, coming: Collection[str]
) -> ExtractionSummary:
    ledger = Ledger(store, sensor, config)
    before = set(ledger.rows)
    groups = by_acquisition(ledger, candidates_of(ledger, sources, coming))
    _withdraw(ledger, groups)
    with rasterio.Env(**_GDAL):
        new = _settle(ledger, groups)
    ledger.commit()
    ledger.sweep()
    if not ledger.rows and not sources:
        raise ArchiveError(f"all {len(coming)} places of {sensor.name} scenes are still being copied: run again")
    if not ledger.rows:
        reasons = [fault["reason"] for faults in ledger.faults.values() for fault in faults]
        first = reasons[0] if reasons else "no cell of any keeps to the thresholds"
        raise ArchiveError(f"not one of {len(sources)} {sensor.name} scenes could be cut; first {first}")
    states = [row["state"] for row in ledger.states.values()]
    waiting = [row["next_attempt"] for place, row in ledger.states.items() if ledger.waits(place)]
    bad = states.count("quarantined")
    patches = sum(row["patches"] for row in ledger.rows.values())
    bad_patches = sum(not fault["whole_scene"] for faults in ledger.faults.values() for fault in faults)
    return ExtractionSummary(
        scenes=len(ledger.rows),
        patches=patches,
        scenes_new=len(new),
        scenes_recut=len(new & before),
        scenes_withdrawn=len(before - set(ledger.rows)),
        scenes_replaced=states.count("replaced"),
        scenes_quarantined=bad,
        scenes_coming=len(coming),
        patches_quarantined=bad_patches,
        scenes_waiting=len(waiting),
        next_attempt=f"{min(waiting):%Y-%m-%d %H:%M:%S} UTC" if waiting else "",
        share_quarantined=max(bad / max(len(states), 1), bad_patches / max(patches + bad_patches, 1)),
        bytes=sum(row["bytes"] for row in ledger.rows.values()),
    )


def _withdraw(ledger: Ledger, groups: Sequence[Sequence[Candidate]]) -> None:
    """Takes out of the manifest what the archive does not hold any more, or holds changed and unreadable."""
    there = {candidate.scene_id for group in groups for candidate in group}
    for scene_id in set(ledger.rows) - there:
        del ledger.rows[scene_id]


def _settle(ledger: Ledger, groups: Sequence[Sequence[Candidate]]) -> set[str]:
    """Of each acquisition, takes the latest processing that can be cut; gives the ids of those that were cut now."""
    todo = []
    for group in groups:
        if group[0].state == "cut":
            _take(ledger, group, 0, ledger.rows[group[0].scene_id])
        elif group[0].state == "unwanted":
            _leave(ledger, group, 0)
        elif group[0].state == "stands":
            _let_stand(ledger, group, 0)
        else:
            todo.append(group)
    new = set()
    bar = SceneProgress(f"Cutting {ledger.sensor.name}", len(todo))
    for group in todo:
        new |= _settle_group(ledger, group, bar)
        bar.scene_done()
        ledger.commit(now=False)
    bar.close()
    return new


def _settle_group(ledger: Ledger, group: Sequence[Candidate], bar: SceneProgress) -> set[str]:
    """Cuts the first of a group that can be cut; gives its id where it was cut now."""
    for position, candidate in enumerate(group):
        if candidate.state == "cut" and ledger.is_whole(candidate.scene_id):
            _take(ledger, group, position, ledger.rows[candidate.scene_id])
            return set()
        if candidate.state == "unwanted":
            _leave(ledger, group, position)
            return set()
        if candidate.state == "stands":
            _let_stand(ledger, group, position)
            return set()
        if candidate.source is None:
            continue
        faults: list[Fault] = []
        try:
            scene = read_scene(candidate.source)
            row = write_scene(ledger.root, scene, ledger.config, faults, bar.rows_done)
        except UnwantedError:
            # An older processing that knows of no clouds must not step in.
            _leave(ledger, group, position)
            return set()
        except (ArchiveError, InvalidTableError) as error:
            raise_of_machine(error, f"{candidate.place} cannot be read")
            passing = candidate.remote or passes(error)
            ledger.set_aside(candidate.place, candidate.fingerprint, candidate.scene_id, passing, str(error))
            if not passing:
                ledger.rows.pop(candidate.scene_id, None)
            elif ledger.standing(candidate.place):
                _let_stand(ledger, group, position)
                return set()
            continue
        ledger.note_parts(candidate.place, [*scene.faults, *faults])
        _take(ledger, group, position, row)
        return {scene.id}
    return set()


def _take(ledger: Ledger, group: Sequence[Candidate], position: int, row: dict[str, Any]) -> None:
    """Puts one scene of a group into the manifest, and notes that the later ones are replaced by it."""
    chosen = group[position]
    for other in group[position:]:
        state = "cut" if other is chosen else "replaced"
        ledger.settle(
            other.place, other.fingerprint, state, other.scene_id, other.acquisition, other.processed, other.remote
        )
        if other.scene_id != chosen.scene_id:
            ledger.rows.pop(other.scene_id, None)
    named = {"place": chosen.place, "acquisition": chosen.acquisition, "processed": chosen.processed}
    ledger.rows[chosen.scene_id] = {**row, **named}


def _let_stand(ledger: Ledger, group: Sequence[Candidate], position: int) -> None:
    """Leaves a scene that waits as it was cut before: nothing older steps in beside it."""
    for other in group[position + 1 :]:
        ledger.settle(
            other.place, other.fingerprint, "replaced", other.scene_id, other.acquisition, other.processed, other.remote
        )
        if other.scene_id != group[position].scene_id:
            ledger.rows.pop(other.scene_id, None)


def _leave(ledger: Ledger, group: Sequence[Candidate], position: int) -> None:
    """Notes that a scene of a group can be read and has no cell that is wanted, and with it the later ones."""
    for other in group[position:]:
        state = "unwanted" if other is group[position] else "replaced"
        ledger.settle(
            other.place, other.fingerprint, state, other.scene_id, other.acquisition, other.processed, other.remote
        )
        ledger.rows.pop(other.scene_id, None)
