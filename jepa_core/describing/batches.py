"""Batches of patches that run across scenes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Patches of one scene that are in one batch."""

    scene: int
    """Number of the scene."""

    start: int
    """First patch."""

    stop: int
    """Behind the last patch."""


def scene_batches(counts: Sequence[int], size: int) -> Iterator[list[Piece]]:
    """Batches over all patches of some scenes, in order.

    A scene with a batch of patches or more begins a batch of its own: its batches then end where chunks of its file do,
    and no chunk is read for two of them. All other batches are full but for the last.

    Args:
        counts: patches of each scene.
        size: patches of a full batch.
    """
    batch: list[Piece] = []
    space = size
    for scene, count in enumerate(counts):
        if batch and count >= size:
            yield batch
            batch, space = [], size
        start = 0
        while start < count:
            stop = min(count, start + space)
            batch.append(Piece(scene, start, stop))
            space -= stop - start
            start = stop
            if not space:
                yield batch
                batch, space = [], size
    if batch:
        yield batch
