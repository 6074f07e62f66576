"""An index in several: each holds the scenes of a range of time, and may lie on a disk or a machine of its own.

Shards are folders under the index's own; a link takes a folder's place where it lies elsewhere. Each is an index that
can be written by itself. A search asks all of them at once, and merges exactly.
"""

import shutil
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from jepa_core import atomic
from jepa_core.errors import UnknownNameError
from jepa_core.fingerprint import short
from jepa_core.index.errors import BrokenIndexError
from jepa_core.index.filters import EVERYTHING, Filter
from jepa_core.index.reader import DescriptorIndex, Hits, Searchable, chosen, open_index
from jepa_core.index.rows import Patch
from jepa_core.index.state import FILE, SHARDS
from jepa_core.sensors import Sensor
from jepa_core.vectors import Purpose

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """A range of time."""

    name: str
    """Of its folder under the index's; `.` where the index is not cut."""

    until: str | None
    """Scenes acquired before then (ISO 8601, UTC) that no earlier shard takes; None: all later ones."""

    def takes(self, time: datetime) -> bool:
        """Whether a scene of that time belongs here, if to no earlier shard."""
        return self.until is None or time < datetime.fromisoformat(self.until)


def read_shards(folder: Path) -> list[Shard]:
    """The shards of an index, earliest first; the index itself where it is not cut."""
    path = folder / SHARDS
    return [Shard(**fields) for fields in atomic.read_json(path)["shards"]] if path.exists() else [Shard(".", None)]


def scenes_a_shard(folder: Path) -> int | None:
    """Behind how many scenes a shard is closed; None where it is not to be cut."""
    path = folder / SHARDS
    return int(atomic.read_json(path)["scenes_per_shard"]) if path.exists() else None


def write_shards(folder: Path, shards: Sequence[Shard], scenes_per_shard: int | None) -> None:
    """Notes the ranges; once it is cut, the index that was not is no longer read, and removed."""
    fields = {"scenes_per_shard": scenes_per_shard, "shards": [asdict(shard) for shard in shards]}
    atomic.write_json(folder / SHARDS, fields)
    if shards[0].name == ".":
        return
    (folder / FILE).unlink(missing_ok=True)
    for name in ("segments", "coarse"):
        shutil.rmtree(folder / name, ignore_errors=True)


def cut(shards: Sequence[Shard], times: Sequence[datetime], scenes_per_shard: int) -> list[Shard]:
    """The ranges, the last one closed behind so many scenes, and again, until the rest is fewer.

    Ranges that are closed stay as they are. Scenes of one moment stay together.

    Args:
        shards: as they are.
        times: of all scenes.
        scenes_per_shard: at least 1.
    """
    ranges = [shard for shard in shards if shard.until is not None]
    left = sorted(time for time in times if not any(shard.takes(time) for shard in ranges))
    while len(left) > scenes_per_shard:
        until = left[scenes_per_shard - 1] + timedelta(microseconds=1)
        left = [time for time in left if time >= until]
        if left:
            ranges.append(Shard(f"shard-{len(ranges):04d}", until.isoformat()))
    if not ranges and not shards[0].name.startswith("shard-"):
        return list(shards)
    return [*ranges, Shard(f"shard-{len(ranges):04d}", None)]


def home_of(shards: Sequence[Shard], time: datetime) -> Shard:
    """The shard that a scene of that time belongs to."""
    return next(shard for shard in shards if shard.takes(time))


def open_searchable(folder: Path) -> Searchable:
    """Opens an index, cut into shards or not.

    Raises:
        BrokenIndexError: it is not there or not whole, or its shards are of several models.
    """
    while True:
        shards = read_shards(folder)
        try:
            parts = [open_index(folder / shard.name) for shard in shards]
            break
        except BrokenIndexError:
            # It may have been cut in the meantime.
            if read_shards(folder) == shards:
                raise
    models = {part.model for part in parts}
    if len(models) > 1:
        raise BrokenIndexError(f"the shards in {folder} are of the models {', '.join(sorted(map(short, models)))}")
    return parts[0] if len(parts) == 1 else ShardedIndex(tuple(parts))


@dataclass(frozen=True)
class ShardedIndex:
    """Several indexes of one model, searched as one; see `reader.DescriptorIndex` for the methods."""

    shards: tuple[DescriptorIndex, ...]
    """Earliest first."""

    @property
    def model(self) -> str:
        """Fingerprint of the model whose descriptors lie in them."""
        return self.shards[0].model

    def serves(self, purpose: Purpose) -> bool:
        """Whether their descriptors mean something for this purpose."""
        # A shard that was begun and holds no scene yet knows of no kinds.
        return any(shard.serves(purpose) for shard in self.shards)

    def count(self, sensor: Sensor) -> int:
        """Patches of a sensor."""
        return sum(shard.count(sensor) for shard in self.shards)

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
        """The k nearest patches of a sensor in all shards."""
        holding = [shard for shard in self.shards if shard.count(sensor)]
        if not holding:
            raise UnknownNameError(f"the index holds no {sensor.name} patches")
        found = _of_each(
            holding, lambda shard: shard.search(vectors, model, purpose, sensor, k, where, one_per_cell, without)
        )
        patches: list[list[Patch]] = []
        scores: list[list[float]] = []
        for query in range(len(vectors)):
            # A scene that moves from one shard to another may be in both for a moment.
            pairs = [pair for hits in found for pair in zip(hits.patches[query], hits.scores[query], strict=True)]
            ranked = sorted(
                {patch.patch_id: (patch, score) for patch, score in pairs}.values(), key=lambda hit: -hit[1]
            )
            patches.append([patch for patch, _ in ranked])
            scores.append([score for _, score in ranked])
        return chosen(Hits(patches, scores), k, one_per_cell, without)

    def vector(self, patch_id: str, purpose: Purpose, sensor: Sensor) -> np.ndarray:
        """The stored vector of a patch, (1, dimension)."""
        for shard in self.shards:
            if shard.patch(patch_id, sensor) is not None:
                return shard.vector(patch_id, purpose, sensor)
        raise UnknownNameError(f"no {sensor.name} patch {patch_id!r} in the index")

    def patch(self, patch_id: str, sensor: Sensor) -> Patch | None:
        """A patch of a sensor, where it is in one of them."""
        return next((found for shard in self.shards if (found := shard.patch(patch_id, sensor))), None)

    def covering(self, lon: float, lat: float, sensor: Sensor) -> list[Patch]:
        """All patches of a sensor that show a point."""
        holding = [shard for shard in self.shards if shard.count(sensor)]
        return [patch for part in _of_each(holding, lambda shard: shard.covering(lon, lat, sensor)) for patch in part]


def _of_each(shards: Sequence[DescriptorIndex], ask: Callable[[DescriptorIndex], T]) -> list[T]:
    with ThreadPoolExecutor(max(1, len(shards)), thread_name_prefix="shards") as pool:
        return list(pool.map(ask, shards))
