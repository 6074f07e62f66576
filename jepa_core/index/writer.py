"""Changing an index: scenes are added, replaced and withdrawn, all of a change or nothing of it.

A change writes new segments beside those that are there, notes which scenes of the old ones are withdrawn, and then
replaces the one file that says what the index consists of. What it takes is in proportion to the change: segments of
about one size are put together when they have become many, so that a vector is copied a few times in all.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import Timeout

from jepa_core.index import rebuild
from jepa_core.index.errors import BrokenIndexError, IndexBusyError, check_model, plain_write_errors
from jepa_core.index.incoming import IncomingScenes, SceneVectors
from jepa_core.index.reader import open_sensor
from jepa_core.index.segment import Segment
from jepa_core.index.sensor_index import SensorIndex
from jepa_core.index.state import FILE, SHARDS, IndexState, SegmentState, SensorState, read_state, write_state
from jepa_core.locks import held, holder_of

PATIENCE_S = 60.0
"""How long a writer waits for another."""

_NOTHING = SensorIndex((), {}, {})
"""A sensor of which the index holds nothing."""


@dataclass(frozen=True)
class Change:
    """What happens to one sensor's scenes."""

    added: Iterable[SceneVectors] = ()
    """Scenes that come in; one that is there is replaced. They are taken one by one."""

    withdrawn: Collection[str] = ()
    """Ids of scenes that go; those that are not there are passed over."""


@dataclass(frozen=True)
class ChangeSummary:
    """What a change did."""

    scenes_added: int
    """New to the index."""

    scenes_replaced: int
    """There before, with other content."""

    scenes_withdrawn: int
    """No longer there."""

    patches: int
    """In the index afterwards."""


@contextmanager
def writing(folder: Path, waiting: Callable[[str], None] = lambda _: None) -> Iterator["IndexWriter"]:
    """Holds the right to write to an index; the system frees it when the process ends, however it ends.

    Args:
        folder: of the index; need not exist.
        waiting: is told, once, when another process holds it.

    Raises:
        IndexBusyError: another process still holds it after a minute.
        IndexWriteError: the folder cannot be written to.
    """

    def tell(who: str) -> None:
        waiting(f"{who} is writing to {folder}; waiting for it to end")

    path = folder / "writer.lock"
    with plain_write_errors(folder), ExitStack() as stack:
        try:
            stack.enter_context(held(path, tell, PATIENCE_S))
        except Timeout as error:
            raise IndexBusyError(
                f"{holder_of(path) or 'another process'} is still writing to {folder} after {PATIENCE_S:.0f} s; "
                "run again when it has ended"
            ) from error
        lock = stack.pop_all()
    with lock:
        yield IndexWriter(folder)


class IndexWriter:
    """Changes an index; to be had from `writing`."""

    def __init__(self, folder: Path) -> None:
        """Takes the index as it is, and removes what a killed writer left behind."""
        self.folder = folder
        try:
            self.state: IndexState | None = read_state(folder)
        except BrokenIndexError:
            # Nothing there, or of another version: the first change makes it anew.
            self.state = None
        self._changes = self.state.change if self.state is not None else 0
        self._opened: dict[str, SensorIndex] | None = None
        self._sweep()

    def drop_if_broken(self) -> BrokenIndexError | None:
        """Makes the next change build the index anew, where its files are not whole; gives what is wrong."""
        try:
            self._there()
        except BrokenIndexError as error:
            self.state = None
            return error
        return None

    def scenes(self, sensor: str) -> dict[str, str]:
        """Mark of each scene of a sensor in the index, by scene id."""
        side = self._there().get(sensor, _NOTHING)
        return {scene: mark for segment in side.segments for scene, mark in segment.live_scenes().items()}

    def _there(self) -> dict[str, SensorIndex]:
        """What is in the index, by sensor; opened once, until a change is made."""
        if self._opened is None:
            parts = self.state.sensors if self.state is not None else {}
            self._opened = {name: open_sensor(self.folder, part) for name, part in parts.items()}
        return self._opened

    def apply(self, variant: str, model: str, changes: Mapping[str, Change]) -> ChangeSummary:
        """Makes a change, all of it or nothing.

        Args:
            variant: name of the method.
            model: fingerprint of the model that made the descriptors.
            changes: by sensor name.

        Raises:
            FingerprintMismatchError: the index is another model's.
            DescriptorError: vectors are not finite unit vectors, or of another dimension or kind than the index's.
            BrokenIndexError: two patches share an id, or the index is not whole.
            IndexWriteError: the files could not be written.
        """
        before = self.state
        if before is not None:
            check_model(model, before.model, "descriptors", before.variant)
        try:
            with plain_write_errors(self.folder):
                return self._apply(variant, model, before, changes)
        finally:
            self._sweep()

    def _apply(
        self, variant: str, model: str, before: IndexState | None, changes: Mapping[str, Change]
    ) -> ChangeSummary:
        number = self._changes + 1
        incoming = IncomingScenes(self.folder, number, before)
        sensors = dict(before.sensors) if before is not None else {}
        there = self._there()
        gone: dict[str, set[str]] = {}
        added = replaced = moved = 0
        for sensor, change in changes.items():
            side = there.get(sensor, _NOTHING)
            known = {scene for segment in side.segments for scene in segment.live_scenes()}
            new = incoming.write(sensor, change.added, side)
            gone[sensor] = known & (new.scenes | new.empty | set(change.withdrawn))
            replaced += len(known & new.scenes)
            added += len(new.scenes - known)
            if new.segments or gone[sensor]:
                kept = tuple(_withdraw(segment, gone[sensor]) for segment in side.segments)
                part = sensors.get(sensor, SensorState())
                moved += part.live - sum(s.live for s in kept) + sum(s.rows for s in new.segments)
                sensors[sensor] = replace(part, segments=(*kept, *new.segments))
        withdrawn = sum(len(scenes) for scenes in gone.values()) - replaced
        # An index without a scene is one too: what was broken, or not there, is whole afterwards.
        if added + replaced + withdrawn or before is None:
            incoming.check_ids(there, gone)
            # Queries of one sensor are what lists of another are measured with.
            sensors = {name: replace(part, changed=part.changed + moved) for name, part in sensors.items()}
            state = IndexState(variant, model, incoming.dimensions, sensors, change=number)
            self._commit(rebuild.kept_in_shape(self.folder, state))
        return ChangeSummary(added, replaced, withdrawn, sum(part.live for part in sensors.values()))

    def compact(self) -> None:
        """Puts each sensor's segments into as few as can be, without the withdrawn rows, and trains quantisers anew.

        Raises:
            BrokenIndexError: there is no index.
            IndexWriteError: the files could not be written.
        """
        if self.state is None:
            raise BrokenIndexError(f"no index at {self.folder}")
        try:
            with plain_write_errors(self.folder):
                self._commit(rebuild.compacted(self.folder, replace(self.state, change=self._changes + 1)))
        finally:
            self._sweep()

    def _commit(self, state: IndexState) -> None:
        write_state(self.folder, state)
        self.state = state
        self._opened = None
        self._changes = state.change

    def _sweep(self) -> None:
        """Removes what does not belong to the index: of killed and failed changes, and of segments put together."""
        sensors = self.state.sensors.values() if self.state is not None else ()
        named = {self.folder / "segments" / segment.name for part in sensors for segment in part.segments}
        named |= {self.folder / "coarse" / coarse.name for part in sensors for coarse in part.coarse.values()}
        named |= {self.folder / name for name in ("segments", "coarse", FILE, SHARDS, "writer.lock", "writer.holder")}
        places = [self.folder, self.folder / "segments", self.folder / "coarse"]
        for path in [path for place in places if place.exists() for path in place.iterdir()]:
            if path not in named and self.state is not None:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _withdraw(segment: Segment, scenes: Collection[str]) -> SegmentState:
    numbers = segment.numbers_of(list(scenes))
    if not numbers:
        return segment.state
    return replace(
        segment.state,
        withdrawn=tuple(sorted({*segment.state.withdrawn, *numbers})),
        withdrawn_rows=segment.state.withdrawn_rows + segment.rows_of_scenes(numbers),
    )
