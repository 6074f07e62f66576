"""Scenes on their way into an index: looked at, and written as new segments."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from jepa_core.index.errors import BrokenIndexError
from jepa_core.index.ids import vector_id
from jepa_core.index.rows import rows_of
from jepa_core.index.segment import Part, assign, joined, write_segment
from jepa_core.index.sensor_index import SensorIndex
from jepa_core.index.state import IndexState, SegmentState
from jepa_core.tables import SEGMENT_SCENES, table_of
from jepa_core.vectors import DescriptorError, Purpose, check_unit

SEGMENT_ROWS = 1_000_000
"""Vectors of a segment at most, more or less; so much is held in memory while it is written."""


@dataclass(frozen=True)
class SceneVectors:
    """A scene as an index takes it."""

    scene_id: str
    """Its id."""

    mark: str
    """Says what it holds: a scene with another mark replaces it."""

    patches: pd.DataFrame
    """Its patches, columns `rows.COLUMNS` of schema `tables.PATCHES` at least."""

    vectors: Mapping[Purpose, np.ndarray]
    """By kind: (patches, dimension), unit norm, in the order of `patches`."""


@dataclass(frozen=True)
class Written:
    """What came in of one sensor."""

    segments: tuple[SegmentState, ...]
    """New ones."""

    scenes: set[str]
    """Ids of the scenes in them."""

    empty: set[str]
    """Ids of scenes that came without patches: what was there of them goes."""


class IncomingScenes:
    """Writes the scenes of one change; nothing of it is part of the index yet."""

    def __init__(self, folder: Path, change: int, before: IndexState | None) -> None:
        """Knows what the index has.

        Args:
            folder: of the index.
            change: number of the change.
            before: state of the index; None for a new one, whose first scene sets kinds and dimensions.
        """
        self.folder = folder
        self.change = change
        self.dimensions: dict[Purpose, int] = before.dimensions if before is not None else {}
        self._names: list[pa.Array] = []
        self._written = 0

    def write(self, sensor: str, scenes: Iterable[SceneVectors], there: SensorIndex) -> Written:
        """Writes a sensor's scenes as segments.

        Args:
            sensor: its name.
            scenes: taken one by one.
            there: the sensor's part of the index, for its quantisers.

        Raises:
            DescriptorError: vectors are not finite unit vectors, or of another dimension or kind than the index's.
            BrokenIndexError: a scene comes twice.
        """
        names: set[str] = set()
        empty: set[str] = set()
        segments: list[SegmentState] = []
        waiting: list[Part] = []
        rows = 0
        for scene in scenes:
            if scene.scene_id in names | empty:
                raise BrokenIndexError(f"the {sensor} scene {scene.scene_id} comes twice in one change")
            if len(scene.patches) == 0:
                empty.add(scene.scene_id)
                continue
            names.add(scene.scene_id)
            waiting.append(self._part(sensor, scene))
            rows += len(scene.patches)
            if rows >= SEGMENT_ROWS:
                segments.append(self._segment(waiting, there))
                waiting, rows = [], 0
        if waiting:
            segments.append(self._segment(waiting, there))
        return Written(tuple(segments), names, empty)

    def check_ids(self, there: Mapping[str, SensorIndex], gone: Mapping[str, Collection[str]]) -> None:
        """Makes sure that no two patches of the index share an id.

        Args:
            there: what was in the index before, by sensor.
            gone: scenes of it that are replaced or withdrawn, by sensor.

        Raises:
            BrokenIndexError: two do; the message names both.
        """
        if not self._names:
            return
        names = pa.concat_arrays(self._names)
        ids = np.fromiter((vector_id(name) for name in names.to_pylist()), np.int64, len(names))
        order = np.argsort(ids, kind="stable")
        twins = np.flatnonzero(ids[order][1:] == ids[order][:-1])
        if len(twins):
            raise _same_id(names[int(order[twins[0]])].as_py(), names[int(order[twins[0] + 1])].as_py())
        for sensor, side in there.items():
            for segment in side.segments:
                for patch in segment.live_among(ids):
                    if patch.scene_id not in gone.get(sensor, ()):
                        other = names[int(np.flatnonzero(ids == vector_id(patch.patch_id))[0])].as_py()
                        raise _same_id(f"{other} (new)", f"{patch.patch_id} (of {sensor} scene {patch.scene_id})")

    def _part(self, sensor: str, scene: SceneVectors) -> Part:
        what = f"descriptors of {sensor} scene {scene.scene_id}"
        if not self.dimensions:
            self.dimensions = {kind: int(vectors.shape[1]) for kind, vectors in scene.vectors.items()}
        if set(scene.vectors) != set(self.dimensions):
            kinds = ", ".join(self.dimensions)
            raise DescriptorError(f"{what} are of the kinds {', '.join(scene.vectors)}, not {kinds}")
        for kind, vectors in scene.vectors.items():
            wanted = (len(scene.patches), self.dimensions[kind])
            if vectors.shape != wanted:
                raise DescriptorError(f"{kind} {what} have the shape {vectors.shape}, not {wanted}")
            check_unit(vectors, f"{kind} {what}")
        row = {"scene_id": scene.scene_id, "mark": scene.mark, "start": 0, "stop": len(scene.patches)}
        half = {kind: np.asarray(vectors, np.float16) for kind, vectors in scene.vectors.items()}
        return Part(table_of([row], SEGMENT_SCENES), rows_of(scene.patches), half, {})

    def _segment(self, parts: list[Part], there: SensorIndex) -> SegmentState:
        part = joined(parts)
        self._names += part.rows["patch_id"].chunks
        self._written += 1
        assigned = {kind: assign(trained, part.vectors[kind]) for kind, trained in there.trained.items()}
        folder = self.folder / "segments" / f"{self.change:08d}-new{self._written}"
        return write_segment(folder, replace(part, assigned=assigned), there.trained)


def _same_id(one: str, other: str) -> BrokenIndexError:
    return BrokenIndexError(f"the patches {one} and {other} have the same id; rename one")
