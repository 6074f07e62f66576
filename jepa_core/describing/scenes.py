"""Scenes to files of descriptors: read ahead, described in full batches, written behind."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from jepa_core.ahead import ahead
from jepa_core.archive.scene import ArchiveError
from jepa_core.describing.batches import Piece, scene_batches
from jepa_core.descriptors import write_scene_descriptors
from jepa_core.model import TrainedModel
from jepa_core.patch_store import open_pixels
from jepa_core.sensors import Sensor
from jepa_core.vectors import Purpose

if TYPE_CHECKING:
    import zarr

_BATCH = 64
"""Patches that go through the encoder at once."""

_WRITERS = 4
"""Threads that write: a file waits for its disk longer than it keeps a core busy."""


@dataclass(frozen=True)
class UndescribedScene:
    """A scene that has no descriptors yet."""

    folder: Path
    """Of its patches."""

    patches: int
    """How many it has, by the manifest."""

    path: Path
    """File that takes its descriptors."""


@dataclass(frozen=True)
class Share:
    """Scenes of one sensor that are described together."""

    sensor: Sensor
    """With the bands that the patches were cut with."""

    scenes: Sequence[UndescribedScene]
    """In the order of the manifest."""

    @property
    def patches(self) -> int:
        """Of all its scenes."""
        return sum(scene.patches for scene in self.scenes)

    def parts(self, most: int) -> Iterator["Share"]:
        """The share cut between scenes, into parts that have `most` patches or more but for the last."""
        part: list[UndescribedScene] = []
        for scene in self.scenes:
            part.append(scene)
            if sum(one.patches for one in part) >= most:
                yield Share(self.sensor, part)
                part = []
        if part:
            yield Share(self.sensor, part)


@dataclass(frozen=True)
class _Batch:
    """Patches that go through the encoder together."""

    share: Share
    """What they are of."""

    pieces: list[Piece]
    """Of its scenes."""


def describe_shares(model: TrainedModel, shares: Sequence[Share]) -> Iterator[int]:
    """Describes scenes and writes a file each as soon as its last patch is described.

    Args:
        model: what describes.
        shares: the scenes; no batch is of two shares.

    Yields:
        How many patches were described since the last time. When it ends, all files are in place.

    Raises:
        ArchiveError: a scene's patches cannot be read.
        DescriptorError: the model gives no unit vectors. Files of earlier scenes stay.
    """
    found: dict[Path, list[dict[Purpose, np.ndarray]]] = defaultdict(list)
    writing: deque[Future[None]] = deque()
    batches = (
        _Batch(share, pieces)
        for share in shares
        for pieces in scene_batches([scene.patches for scene in share.scenes], _BATCH)
    )
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="descriptors") as writers:
        for batch, images in ahead(_reader(model), batches, model.device):
            sensor = batch.share.sensor
            vectors = model.encode(images, sensor)
            start = 0
            for piece in batch.pieces:
                scene = batch.share.scenes[piece.scene]
                stop = start + piece.stop - piece.start
                # Half of the memory, and what is written anyway.
                found[scene.path].append({kind: v[start:stop].astype(np.float16) for kind, v in vectors.items()})
                start = stop
                if piece.stop == scene.patches:
                    writing.append(writers.submit(_write, model, sensor, scene, found.pop(scene.path)))
            # As many wait as a batch may end: a disk that is slower than the encoder fills no memory.
            while len(writing) > _BATCH or (writing and writing[0].done()):
                writing.popleft().result()
            yield len(images)
        for written in writing:
            written.result()


def _reader(model: TrainedModel) -> Callable[[_Batch], tuple[_Batch, Tensor]]:
    # A large scene is opened once for its many batches.
    opened = lru_cache(maxsize=_BATCH)(_opened)

    def read(batch: _Batch) -> tuple[_Batch, Tensor]:
        share = batch.share
        pixels = [opened(share.scenes[p.scene], share.sensor)[p.start : p.stop] for p in batch.pieces]
        return batch, model.images(np.concatenate(pixels), share.sensor)

    return read


def _opened(scene: UndescribedScene, sensor: Sensor) -> "zarr.Array[Any]":
    pixels = open_pixels(scene.folder, sensor)
    if pixels.shape[0] != scene.patches:
        raise ArchiveError(f"{scene.folder} holds {pixels.shape[0]} patches, the manifest says {scene.patches}")
    return pixels


def _write(
    model: TrainedModel, sensor: Sensor, scene: UndescribedScene, parts: list[dict[Purpose, np.ndarray]]
) -> None:
    vectors = {purpose: np.concatenate([part[purpose] for part in parts]) for purpose in parts[0]}
    write_scene_descriptors(scene.path, model.fingerprint, sensor, _patch_ids(scene), vectors)


def _patch_ids(scene: UndescribedScene) -> list[str]:
    """In the order of the pixels."""
    path = scene.folder / "patches.parquet"
    try:
        # Not validated as a whole: that takes longer than to describe three patches. What is used of it is looked at.
        table = pq.read_table(path, columns=["patch_id", "row"]).sort_by("row")
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(
            f"{path} is not readable ({error}); delete {scene.folder} and materialize the patches again"
        ) from error
    if table["row"].to_pylist() != list(range(scene.patches)):
        raise ArchiveError(f"the rows of {path} are not those of its {scene.patches} patches")
    ids: list[str] = table["patch_id"].to_pylist()
    return ids
