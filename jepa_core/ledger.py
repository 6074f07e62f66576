"""What became of each place in the archive: three tables, read at the start of an extraction and written as it goes."""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from jepa_core import retries, tables, versions
from jepa_core.archive.scene import ArchiveError, Fault, Source, printable
from jepa_core.cutting import CutConfig
from jepa_core.fingerprint import fingerprint
from jepa_core.patch_store import read_manifest, read_quarantine, read_sources, settings_mark, write_cutting
from jepa_core.sensors import Sensor
from jepa_core.stages import size_of
from jepa_core.store import Store

_COMMIT_SECONDS = 5.0
"""The tables are written at least this often: what a kill can cost."""


class Ledger:
    """The manifest, the state of each source, and the quarantine, as they stand."""

    def __init__(self, store: Store, sensor: Sensor, config: CutConfig) -> None:
        """Reads what the last extraction left."""
        self.store, self.sensor, self.config = store, sensor, config
        self.root = store.patches(sensor)
        self.settings = {"config": asdict(config), "bands": sensor.band_names, "version": versions.PATCHES}
        self.rows = {row["scene_id"]: row for row in tables.records(read_manifest(store, sensor))}
        self.known = {row["place"]: row for row in tables.records(read_sources(store, sensor))}
        # Once for the whole extraction: what became due while it ran is the next one's.
        self.due = retries.due_places(self.known.values(), retries.now())
        self.known_faults: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for fault in tables.records(read_quarantine(store, sensor)):
            self.known_faults[fault["source"]].append(fault)
        self.settings_before = settings_mark(store, sensor)
        self.states: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, list[dict[str, Any]]] = {}
        self.committed = time.monotonic()

    def mark(self, source: Source) -> str:
        """Fingerprint of a source's files, the settings and the code."""
        return fingerprint({"stamp": source.stamp, **self.settings})

    def has_seen(self, source: Source) -> bool:
        """Whether an extraction with these settings has looked at a source as it is now."""
        known = self.known.get(source.place)
        return known is not None and known["fingerprint"] == self.mark(source)

    def knows(self, source: Source) -> bool:
        """Whether there is nothing to do for a source: what became of it stands."""
        if not self.has_seen(source):
            return False
        known = self.known[source.place]
        if known["state"] == "quarantined":
            return source.place not in self.due
        return known["state"] != "cut" or self.is_whole(known["scene_id"])

    def is_whole(self, scene_id: str) -> bool:
        """Whether a scene is in the manifest and all its files are there."""
        row = self.rows.get(scene_id)
        return row is not None and size_of(self.root / row["folder"]) == row["bytes"]

    def out_of_reach(self, source: Source, listed: Collection[str]) -> list[str]:
        """Places that a catalogue or folder which cannot be asked now held before: it takes nothing away.

        Raises:
            ArchiveError: they were cut with other settings, and cannot be cut anew.
        """
        under = (f"{source.place}#", f"{source.place}/")
        places = [place for place in self.known if place.startswith(under) and place not in listed]
        held = [p for p in places if self.known[p]["state"] != "cut" or self.is_whole(self.known[p]["scene_id"])]
        if held and self.settings_before != fingerprint(self.settings):
            raise ArchiveError(
                f"{source.place} cannot be asked, and {len(held)} scenes of it were cut with other settings: "
                "run again when it can be, or with the settings as they were"
            )
        return held

    def looks_again(self, place: str) -> bool:
        """Whether a place is looked at by every extraction: another holds the same scene, and may go."""
        known = self.known.get(place)
        return known is not None and known["fingerprint"] == ""

    @property
    def was_cut_otherwise(self) -> bool:
        """Whether what there is was cut with other settings, or by another version of the code."""
        return self.settings_before not in ("", fingerprint(self.settings))

    def still_holds(self, place: str) -> bool:
        """Whether what became of a place before it changed can stay for now: it was cut with these settings, whole."""
        known = self.known.get(place)
        if known is None or self.was_cut_otherwise:
            return False
        return known["state"] != "cut" or self.is_whole(known["scene_id"])

    def keep(self, place: str) -> dict[str, Any] | None:
        """Takes over what is known of a place; gives it where it is a scene."""
        known = self.known[place]
        if self.known_faults[place]:
            self.faults[place] = self.known_faults[place]
        if known["state"] == "quarantined":
            self.states[place] = known
            return None
        return known

    def waits(self, place: str) -> bool:
        """Whether a place is set aside for a reason that may pass."""
        state = self.states.get(place)
        return state is not None and state["state"] == "quarantined" and bool(state["remote"])

    def standing(self, place: str) -> dict[str, Any] | None:
        """What the manifest holds of a place that waits, from when it could be read; None where that is nothing."""
        scene_id = self.states[place]["scene_id"] if self.waits(place) else ""
        return self.rows[scene_id] if scene_id and self.is_whole(scene_id) else None

    def set_aside(self, place: str, mark: str, scene_id: str, remote: bool, reason: str) -> None:
        """Puts a source into quarantine; where the reason may pass, until the next attempt."""
        state = _state(place, mark, "quarantined", scene_id, "", "", remote)
        if remote:
            state["attempts"] = self._attempts(place)
            state["next_attempt"] = retries.now() + retries.wait(place, state["attempts"])
            reason = f"{reason} ({retries.in_words(state['attempts'], state['next_attempt'])})"
        self.states[place] = state
        self.faults[place] = [_fault_row(place, Fault(place, reason), whole=True)]

    def _attempts(self, place: str) -> int:
        """Number of the attempt that has just failed; the count starts anew behind one that did not."""
        known = self.known.get(place)
        if known is None or known["state"] != "quarantined" or not known["remote"]:
            return 1
        # Tried before its time, for it changed: that is not one more.
        return max(int(known["attempts"]) + (place in self.due), 1)

    def note_parts(self, place: str, faults: Sequence[Fault]) -> None:
        """Sets aside parts of a source whose other parts stand."""
        self.faults.pop(place, None)
        if faults:
            self.faults[place] = [_fault_row(place, fault, whole=False) for fault in faults]

    def settle(
        self, place: str, mark: str, state: str, scene_id: str, acquisition: str, processed: str, remote: bool
    ) -> None:
        """Notes what became of a source that is a scene: `cut`, `replaced` or `unwanted`."""
        self.states[place] = _state(place, mark, state, scene_id, acquisition, processed, remote)
        if any(fault["whole_scene"] for fault in self.faults.get(place, [])):
            del self.faults[place]
        if place in self.known:
            # Not for this table's own sake: see `retries.attempts_wanted`.
            self.states[place]["attempts"] = retries.attempts_wanted(self.known[place], self.due)

    def commit(self, now: bool = True) -> None:
        """Writes the three tables, the manifest last; unless `now`, only where the last time is some seconds ago."""
        if not now and time.monotonic() - self.committed < _COMMIT_SECONDS:
            return
        write_cutting(self.store, self.sensor, self.config.grid, fingerprint(self.settings))
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
        "attempts": 0,
        "next_attempt": None,
    }


def _fault_row(source: str, fault: Fault, whole: bool) -> dict[str, Any]:
    return {
        "place": printable(fault.place),
        "source": source,
        "reason": printable(fault.reason),
        "whole_scene": whole,
    }
