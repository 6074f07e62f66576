"""Bytes on disk, by what they are for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jepa_core.operating.prune import planned
from jepa_core.operating.waste import Wish
from jepa_core.store import Store

_ROOMS = {
    "patches": ("patches",),
    "pairs": ("pairs",),
    "training cache": ("cache",),
    "training": ("training",),
    "models": ("models",),
    "descriptors": ("descriptors",),
    "indexes": ("indexes",),
    "benchmarks": ("benchmarks", "baselines", "references"),
    "mlflow": ("mlflow",),
    "downloads": ("downloads",),
    "sample archive": ("sample-archive",),
    "labelled sets": ("sets",),
}


@dataclass(frozen=True)
class Disk:
    """What takes how much room."""

    parts: dict[str, int]
    """Bytes by part of the data root; `other` is the rest."""

    prunable: dict[str, int]
    """Bytes that `jepa prune` would free, by kind; they are among the parts."""

    @property
    def whole(self) -> int:
        """Bytes of the data root."""
        return sum(self.parts.values())


def disk_use(store: Store, size: Callable[[Path], int], problem: Callable[[str], None]) -> Disk:
    """Takes the sizes.

    Args:
        store: the data root.
        size: bytes of a file or folder, -1 where there is nothing.
        problem: is told of what cannot be read.
    """

    def of(path: Path) -> int:
        try:
            return max(size(path), 0)
        except OSError as error:
            problem(f"not counted: {error}")
            return 0

    there = sorted(store.root.iterdir()) if store.root.is_dir() else []
    # Scene by scene, for others have asked for these already.
    sizes = {path.name: sum(map(of, _parts(path))) for path in there}
    parts = {part: sum(sizes.pop(room, 0) for room in rooms) for part, rooms in _ROOMS.items()}
    parts["other"] = sum(sizes.values())
    prunable: dict[str, int] = {}
    for found in planned(store, Wish(), problem):
        prunable[found.waste.kind] = prunable.get(found.waste.kind, 0) + found.bytes
    return Disk({name: bytes_ for name, bytes_ in parts.items() if bytes_}, prunable)


def _parts(path: Path) -> list[Path]:
    if path.name != "patches" or not path.is_dir():
        return [path]
    return [part for sensor in path.iterdir() for part in (sensor.iterdir() if sensor.is_dir() else [sensor])]
