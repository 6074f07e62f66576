"""An index opened for searching: what it was when it was opened, whatever is written to it meanwhile."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.index.coarse import open_trained
from jepa_core.index.errors import BrokenIndexError, check_model
from jepa_core.index.filters import EVERYTHING, Filter
from jepa_core.index.rows import Patch
from jepa_core.index.segment import open_segment
from jepa_core.index.sensor_index import SensorIndex
from jepa_core.index.state import IndexState, SensorState, read_state
from jepa_core.sensors import Sensor
from jepa_core.vectors import Purpose, check_unit, serving


@dataclass(frozen=True)
class Hits:
    """Nearest patches of each query, nearest first."""

    patches: list[list[Patch]]
    """By query."""

    scores: list[list[float]]
    """Cosines, by query."""

    @property
    def patch_ids(self) -> list[list[str]]:
        """By query."""
        return [[patch.patch_id for patch in found] for found in self.patches]


class Searchable(Protocol):
    """What can be searched: an index, or the shards of one."""

    @property
    def model(self) -> str:
        """Fingerprint of the model whose descriptors lie in it."""

    def serves(self, purpose: Purpose) -> bool:
        """Whether its descriptors mean something for this purpose."""

    def count(self, sensor: Sensor) -> int:
        """Patches of a sensor."""

    def search(
        self,
        vectors: np.ndarray,
        model: str,
        purpose: Purpose,
        sensor: Sensor,
        k: int,
        where: Filter = EVERYTHING,
        one_per_cell: bool = False,
        without: Collection[str] = (),
    ) -> Hits:
        """The k nearest patches of a sensor."""

    def vector(self, patch_id: str, purpose: Purpose, sensor: Sensor) -> np.ndarray:
        """The stored vector of a patch, (1, dimension)."""

    def patch(self, patch_id: str, sensor: Sensor) -> Patch | None:
        """A patch of a sensor, where it is in the index."""

    def covering(self, lon: float, lat: float, sensor: Sensor) -> list[Patch]:
        """All patches of a sensor that show a point."""


@dataclass(frozen=True)
class DescriptorIndex:
    """Cosine search over the descriptors of one model."""

    state: IndexState
    """What it consisted of when it was opened."""

    sensors: Mapping[str, SensorIndex]
    """By name."""

    @property
    def model(self) -> str:
        """Fingerprint of the model whose descriptors lie in it."""
        return self.state.model

    def serves(self, purpose: Purpose) -> bool:
        """Whether its descriptors mean something for this purpose: those of one sensor mean nothing to another's."""
        return purpose == "same" or purpose in self.state.kinds

    def count(self, sensor: Sensor) -> int:
        """Patches of a sensor."""
        return self.sensors[sensor.name].live if sensor.name in self.sensors else 0

    def search(
        self,
        vectors: np.ndarray,
        model: str,
        purpose: Purpose,
        sensor: Sensor,
        k: int,
        where: Filter = EVERYTHING,
        one_per_cell: bool = False,
        without: Collection[str] = (),
    ) -> Hits:
        """The k nearest patches of a sensor.

        Args:
            vectors: unit queries, (queries, dimension).
            model: fingerprint of the model that made them.
            purpose: kind of search that they were made for.
            sensor: sensor of the gallery.
            k: hits wanted; fewer where there are fewer.
            where: what hits have to meet; looked at before anything is scored.
            one_per_cell: of several patches of one cell only the nearest.
            without: ids of patches that are no hits.

        Raises:
            FingerprintMismatchError: the queries are another model's.
            UnknownNameError: the index holds nothing of that sensor.
            JepaError: k below 1, or vectors of another dimension.
            DescriptorError: queries are not finite unit vectors.
        """
        check_model(model, self.model, "queries", self.state.variant)
        if k < 1:
            raise JepaError(f"k is {k}; at least one hit must be asked for")
        side, kind = self._side(sensor), serving(purpose, self.state.kinds)
        dimension = self.state.dimensions[kind]
        if vectors.ndim != 2 or vectors.shape[1] != dimension:
            raise JepaError(f"queries have the shape {vectors.shape}, not (n, {dimension})")
        check_unit(vectors, "queries")
        queries = np.ascontiguousarray(vectors, np.float32)
        patches: list[list[Patch]] = [[]] * len(queries)
        cosines: list[list[float]] = [[]] * len(queries)
        part, fetched = np.arange(len(queries)), k + len(without)
        while len(part):
            scores, rows = side.nearest(queries[part], kind, fetched, where)
            hits = chosen(_hits(side, scores, rows), k, one_per_cell, without)
            for query, found, of_found in zip(part.tolist(), hits.patches, hits.scores, strict=True):
                patches[query], cosines[query] = found, of_found
            # Where hits fell away, more are fetched, until there are enough or none are left.
            short = [len(found) < k for found in hits.patches]
            part = part[short] if rows.shape[1] == fetched else part[:0]
            fetched *= 4
        return Hits(patches, cosines)

    def vector(self, patch_id: str, purpose: Purpose, sensor: Sensor) -> np.ndarray:
        """The stored vector of a patch, (1, dimension).

        Raises:
            UnknownNameError: the patch is not in the index of that sensor.
        """
        row = self._side(sensor).row_of(patch_id)
        if row is None:
            raise UnknownNameError(f"no {sensor.name} patch {patch_id!r} in the index")
        found = self._side(sensor).vectors(serving(purpose, self.state.kinds), np.array([row]))
        # Stored in float16: its norm is off by less than a thousandth.
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    def patch(self, patch_id: str, sensor: Sensor) -> Patch | None:
        """A patch of a sensor, where it is in the index."""
        side = self.sensors.get(sensor.name)
        row = side.row_of(patch_id) if side is not None else None
        return None if side is None or row is None else side.patches(np.array([row]))[0]

    def covering(self, lon: float, lat: float, sensor: Sensor) -> list[Patch]:
        """All patches of a sensor that show a point, in degrees."""
        found: list[Patch] = []
        for segment in self._side(sensor).segments:
            shown = segment.rows.covering(lon, lat)
            alive = segment.kept(EVERYTHING)
            found += segment.patches(np.flatnonzero(shown if alive is None else shown & alive.mask))
        return found

    def _side(self, sensor: Sensor) -> SensorIndex:
        side = self.sensors.get(sensor.name)
        if side is None or side.live == 0:
            raise UnknownNameError(f"the index holds no {sensor.name} patches; it holds {', '.join(self.sensors)}")
        return side


def open_index(folder: Path) -> DescriptorIndex:
    """Opens an index; what is large is mapped into memory, not read.

    Raises:
        BrokenIndexError: it is not there or not whole.
    """
    while True:
        state = read_state(folder)
        try:
            return DescriptorIndex(state, {name: open_sensor(folder, part) for name, part in state.sensors.items()})
        except BrokenIndexError as error:
            # A writer may have gone on in the meantime, and removed what no longer belongs to the index.
            if read_state(folder).change == state.change:
                raise BrokenIndexError(
                    f"{error}. Run: dagster asset materialize --select {state.variant}_index"
                ) from error


def open_sensor(folder: Path, state: SensorState) -> SensorIndex:
    """Opens one sensor's part of an index.

    Raises:
        BrokenIndexError: a file is missing, cut short or unreadable; the message names it.
    """
    trained = {}
    for kind, coarse in state.coarse.items():
        path = folder / "coarse" / coarse.name
        try:
            trained[kind] = open_trained(path)
        except RuntimeError as error:
            raise BrokenIndexError(f"{path} is not readable ({error}); delete it") from error
    segments = tuple(open_segment(folder / "segments" / part.name, part, trained) for part in state.segments)
    return SensorIndex(segments, state.coarse, trained)


def _hits(side: SensorIndex, scores: np.ndarray, rows: np.ndarray) -> Hits:
    found = iter(side.patches(rows[rows >= 0]))
    counts = (rows >= 0).sum(axis=1).tolist()
    return Hits(
        [[next(found) for _ in range(count)] for count in counts],
        [row[:count].tolist() for row, count in zip(scores, counts, strict=True)],
    )


def chosen(hits: Hits, k: int, one_per_cell: bool, without: Collection[str]) -> Hits:
    """The k best of each query's hits that are asked for; see `DescriptorIndex.search`."""
    patches: list[list[Patch]] = []
    scores: list[list[float]] = []
    for found, cosines in zip(hits.patches, hits.scores, strict=True):
        seen: set[str] = set()
        kept = []
        for i, patch in enumerate(found):
            if patch.patch_id in without or (one_per_cell and patch.cell_id in seen):
                continue
            seen.add(patch.cell_id)
            kept.append(i)
        patches.append([found[i] for i in kept[:k]])
        scores.append([cosines[i] for i in kept[:k]])
    return Hits(patches, scores)
