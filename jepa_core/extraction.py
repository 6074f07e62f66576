"""The archive's scenes to patches: what is new or changed is cut, what is bad is set aside, what is gone withdrawn."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import rasterio

from jepa_core import tables, versions
from jepa_core.archive.scene import ArchiveError, Fault, Scene, Source, printable
from jepa_core.cutting import CutConfig
from jepa_core.fingerprint import fingerprint
from jepa_core.patch_files import write_scene
from jepa_core.patch_store import read_manifest, read_quarantine, write_cutting
from jepa_core.progress import SceneProgress, track
from jepa_core.sensors import Sensor
from jepa_core.stages import size_of
from jepa_core.store import Store

_COMMIT_SECONDS = 5.0
"""The manifest is written at least this often: what a kill can cost."""

_GDAL = {
    # In bytes. One row of blocks of all bands of a Sentinel-2 tile, or the lines that a strip of two radar bands
    # crosses: less, and blocks are decoded many times.
    "GDAL_CACHEMAX": 640_000_000,
    # Remote files: faults that pass are tried again before a scene is given up.
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
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

    scenes_withdrawn: int
    """Scenes that were in the manifest and are not any more: gone from the archive, replaced or now unreadable."""

    scenes_replaced: int
    """Places in the archive that hold an older processing, or a copy, of a scene in the manifest."""

    scenes_quarantined: int
    """Places in the archive that should hold a scene, and do not."""

    patches_quarantined: int
    """Patches that a set brings cut and that could not be read, in scenes that stand."""

    share_quarantined: float
    """Of all places that should hold a scene."""


@dataclass(frozen=True)
class _Candidate:
    """A scene that may come into the manifest."""

    source: Source | None
    """Where it is read from; None for one of a catalogue that cannot be asked now."""

    place: str
    """Of the source."""

    fingerprint: str
    """Of its files, the settings and the code."""

    scene_id: str
    """Id of the scene."""

    acquisition: str
    """What its other processings share with it."""

    processed: str
    """Sorts it among them."""

    state: str
    """`cut` or `replaced` from an earlier run, `new` otherwise."""


def extract(store: Store, sources: Sequence[Source], sensor: Sensor, config: CutConfig) -> ExtractionSummary:
    """Brings the sensor's patches in line with the archive; only what is new or changed is read.

    Of several processings of one acquisition, the latest that can be read is kept: by level, then baseline, then
    time of processing.

    Args:
        store: the data root.
        sources: all places of the archive that should hold a scene of the sensor.
        sensor: the sensor, with the bands that are wanted.
        config: settings of the cutting.

    Raises:
        ArchiveError: not one scene could be cut.
    """
    run = _Run(store, sensor, config)
    before = set(run.rows)
    candidates = run.read(sources)
    with rasterio.Env(**_GDAL):
        new = run.settle(candidates)
    run.commit()
    run.sweep()
    if not run.rows:
        first = next(iter(run.faults.values()))[0]
        raise ArchiveError(f"not one of {len(sources)} {sensor.name} scenes could be cut; first {first['reason']}")
    states = [row["state"] for row in run.states.values()]
    bad = states.count("quarantined")
    return ExtractionSummary(
        scenes=len(run.rows),
        patches=sum(row["patches"] for row in run.rows.values()),
        scenes_new=new,
        scenes_withdrawn=len(before - set(run.rows)),
        scenes_replaced=states.count("replaced"),
        scenes_quarantined=bad,
        patches_quarantined=sum(not fault["whole_scene"] for faults in run.faults.values() for fault in faults),
        share_quarantined=bad / max(len(states), 1),
    )


class _Run:
    """One extraction: the three tables as they stand, and how they change."""

    def __init__(self, store: Store, sensor: Sensor, config: CutConfig) -> None:
        self.store, self.sensor, self.config = store, sensor, config
        self.root = store.patches(sensor)
        self.settings = {"config": asdict(config), "bands": sensor.band_names, "version": versions.PATCHES}
        self.rows = {row["scene_id"]: row for row in tables.records(read_manifest(store, sensor))}
        path = self.root / "sources.parquet"
        known = tables.read_table(path, tables.SOURCES) if path.exists() else tables.table_of([], tables.SOURCES)
        self.known = {row["place"]: row for row in tables.records(known)}
        self.known_faults: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for fault in tables.records(read_quarantine(store, sensor)):
            self.known_faults[fault["source"]].append(fault)
        self.states: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.committed = time.monotonic()

    def read(self, sources: Sequence[Source]) -> list[_Candidate]:
        """Scenes that may come into the manifest; what is not readable is set aside."""
        candidates: dict[str, _Candidate] = {}
        changed = [source for source in sources if not self._is_known(source)]
        for source in sources:
            if self._is_known(source):
                self._keep(source, source.place, candidates)
        for source in track(changed, f"Reading metadata of {self.sensor.name}", unit="scene"):
            mark = self._fingerprint(source)
            try:
                scene = _checked(source.read())
            except ArchiveError as error:
                self.set_aside(source.place, mark, "", source.remote, [Fault(source.place, str(error))])
                # A catalogue that cannot be asked takes nothing away.
                for place in self.known:
                    if place.startswith(f"{source.place}#"):
                        self._keep(None, place, candidates)
                continue
            product = scene.product
            candidates[source.place] = _Candidate(
                source, source.place, mark, scene.id, product.acquisition or scene.id, product.processed, "new"
            )
        return list(candidates.values())

    def settle(self, candidates: Iterable[_Candidate]) -> int:
        """Of each acquisition, takes the latest processing that can be cut; gives how many were cut."""
        groups: dict[str, list[_Candidate]] = defaultdict(list)
        for candidate in self._with_own_ids(candidates):
            groups[candidate.acquisition].append(candidate)
        for group in groups.values():
            # Latest first; of equals one that is cut already, then by place, so that a copy changes nothing.
            group.sort(key=lambda c: (c.state != "cut", c.place))
            group.sort(key=lambda c: c.processed, reverse=True)
        wanted = {candidate.scene_id for group in groups.values() for candidate in group if candidate.state == "cut"}
        for scene_id in set(self.rows) - wanted:
            # Gone from the archive, or changed: what it held is not what the archive holds.
            if not any(c.scene_id == scene_id for group in groups.values() for c in group):
                del self.rows[scene_id]
        todo = [group for group in groups.values() if group[0].state != "cut"]
        for group in groups.values():
            if group[0].state == "cut":
                self._take(group, 0, self.rows[group[0].scene_id])
        new = 0
        bar = SceneProgress(f"Cutting {self.sensor.name}", len(todo))
        for group in todo:
            new += self._settle_group(group, bar)
            bar.scene_done()
            if time.monotonic() - self.committed > _COMMIT_SECONDS:
                self.commit()
        bar.close()
        return new

    def set_aside(self, place: str, mark: str, scene_id: str, remote: bool, faults: Sequence[Fault]) -> None:
        """Puts a source into quarantine."""
        self.states[place] = _state(place, mark, "quarantined", scene_id, "", "", remote)
        self.faults[place] = [_fault_row(place, fault, whole=True) for fault in faults]

    def commit(self) -> None:
        """Writes the three tables, the manifest last."""
        write_cutting(self.store, self.sensor, self.config.grid)
        faults = [fault for source in sorted(self.faults) for fault in self.faults[source]]
        states = [self.states[place] for place in sorted(self.states)]
        rows = [self.rows[scene_id] for scene_id in sorted(self.rows)]
        for name, content, schema in (
            ("quarantine", faults, tables.QUARANTINE),
            ("sources", states, tables.SOURCES),
            ("manifest", rows, tables.SCENES),
        ):
            tables.write_table(tables.table_of(content, schema), schema, self.root / f"{name}.parquet")
        self.committed = time.monotonic()

    def sweep(self) -> None:
        """Removes folders that the manifest does not name: withdrawn, replaced, or left by a killed run."""
        import shutil

        named = {row["folder"] for row in self.rows.values()}
        for folder in self.root.iterdir() if self.root.exists() else []:
            if folder.is_dir() and folder.name not in named:
                shutil.rmtree(folder)

    def _fingerprint(self, source: Source) -> str:
        return fingerprint({"stamp": source.stamp, **self.settings})

    def _is_known(self, source: Source) -> bool:
        known = self.known.get(source.place)
        if known is None or known["fingerprint"] != self._fingerprint(source):
            return False
        if known["state"] == "quarantined":
            return not known["remote"]
        return known["state"] == "replaced" or self._is_whole(known["scene_id"])

    def _is_whole(self, scene_id: str) -> bool:
        row = self.rows.get(scene_id)
        return row is not None and size_of(self.root / row["folder"]) == row["bytes"]

    def _keep(self, source: Source | None, place: str, candidates: dict[str, _Candidate]) -> None:
        """Takes over what is known of a place."""
        known = self.known[place]
        if self.known_faults[place]:
            self.faults[place] = self.known_faults[place]
        if known["state"] == "quarantined":
            self.states[place] = known
            return
        fields = {k: known[k] for k in ("place", "fingerprint", "scene_id", "acquisition", "processed", "state")}
        candidates[place] = _Candidate(source=source, **fields)

    def _with_own_ids(self, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """Leaves out scenes that bear the id of another acquisition's."""
        kept: dict[str, _Candidate] = {}
        result = []
        for candidate in sorted(candidates, key=lambda c: (c.state != "cut", c.place)):
            other = kept.setdefault(candidate.scene_id, candidate)
            if other.acquisition != candidate.acquisition or (other is not candidate and not other.processed):
                reason = f"{candidate.place} has the id {candidate.scene_id}, which {other.place} has, too"
                remote = candidate.source is not None and candidate.source.remote
                self.set_aside(
                    candidate.place, candidate.fingerprint, candidate.scene_id, remote, [Fault(candidate.place, reason)]
                )
            else:
                result.append(candidate)
        return result

    def _settle_group(self, group: Sequence[_Candidate], bar: SceneProgress) -> int:
        """Cuts the first of a group that can be cut; gives 1 where it was cut now."""
        for position, candidate in enumerate(group):
            if candidate.state == "cut" and self._is_whole(candidate.scene_id):
                self._take(group, position, self.rows[candidate.scene_id])
                return 0
            if candidate.source is None:
                continue
            faults: list[Fault] = []
            try:
                scene = _checked(candidate.source.read())
                row = write_scene(self.root, scene, self.config, faults, bar.rows_done)
            except ArchiveError as error:
                remote = candidate.source.remote
                fault = Fault(candidate.place, str(error))
                self.set_aside(candidate.place, candidate.fingerprint, candidate.scene_id, remote, [fault])
                self.rows.pop(candidate.scene_id, None)
                continue
            self.faults.pop(candidate.place, None)
            if scene.faults or faults:
                parts = [*scene.faults, *faults]
                self.faults[candidate.place] = [_fault_row(candidate.place, fault, whole=False) for fault in parts]
            self._take(group, position, row)
            return 1
        return 0

    def _take(self, group: Sequence[_Candidate], position: int, row: dict[str, Any]) -> None:
        """Puts one scene of a group into the manifest, and notes that the later ones are replaced by it."""
        chosen = group[position]
        for other in group[position:]:
            state = "cut" if other is chosen else "replaced"
            remote = other.source is not None and other.source.remote
            self.states[other.place] = _state(
                other.place, other.fingerprint, state, other.scene_id, other.acquisition, other.processed, remote
            )
            if other is not chosen and other.scene_id != chosen.scene_id:
                self.rows.pop(other.scene_id, None)
        named = {"place": chosen.place, "acquisition": chosen.acquisition, "processed": chosen.processed}
        self.rows[chosen.scene_id] = {**row, **named}


def _checked(scene: Scene) -> Scene:
    """The scene, if its id can be part of a file's name and what it says can be written down.

    Raises:
        ArchiveError: it cannot.
    """
    if not re.fullmatch(r"\w[\w.+-]{0,199}", scene.id):
        raise ArchiveError(f"the scene id {scene.id[:200]!r} may hold letters, digits and _ . + - only")
    said = "".join(value for value in vars(scene.product).values() if isinstance(value, str))
    if said != printable(said):
        raise ArchiveError(f"the metadata of {scene.id} hold text that is no Unicode: {printable(said)[:200]!r}")
    return scene if len(scene.patches) == 0 else replace(scene, rasters={})


def _state(
    place: str, mark: str, state: str, scene_id: str, acquisition: str, processed: str, remote: bool
) -> dict[str, Any]:
    return {
        "place": place,
        "fingerprint": mark,
        "state": state,
        "scene_id": scene_id,
        "acquisition": acquisition,
        "processed": processed,
        "remote": remote,
    }


def _fault_row(source: str, fault: Fault, whole: bool) -> dict[str, Any]:
    return {
        "place": printable(fault.place),
        "source": source,
        "reason": printable(fault.reason),
        "whole_scene": whole,
    }
