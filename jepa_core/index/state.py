"""What an index consists of at one moment: one file, replaced as a whole by each change."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jepa_core import atomic, versions
from jepa_core.errors import JepaError
from jepa_core.index.coarse import Coarse
from jepa_core.index.errors import BrokenIndexError
from jepa_core.index.files import FileState
from jepa_core.vectors import PURPOSES, Purpose

FILE = "index.json"

SHARDS = "shards.json"
"""Says into what an index is cut, where it is."""


@dataclass(frozen=True)
class SegmentState:
    """Scenes that were written together and never change; they can be withdrawn."""

    name: str
    """Of its folder under `segments/`."""

    rows: int
    """Vectors of each kind in it, withdrawn ones too."""

    withdrawn: tuple[int, ...]
    """Numbers of the scenes in it that are no longer in the index, sorted."""

    withdrawn_rows: int
    """Vectors of each kind that are no longer in the index."""

    files: dict[str, FileState]
    """By name."""

    @property
    def live(self) -> int:
        """Vectors of each kind that are in the index."""
        return self.rows - self.withdrawn_rows


@dataclass(frozen=True)
class SensorState:
    """A sensor's part of an index."""

    segments: tuple[SegmentState, ...] = ()
    """Oldest first."""

    coarse: dict[Purpose, Coarse] = field(default_factory=dict)
    """By kind of descriptor; none where all searches are exact."""

    changed: int = 0
    """Vectors added and withdrawn, in all sensors, since recall was last measured."""

    @property
    def live(self) -> int:
        """Vectors of each kind."""
        return sum(segment.live for segment in self.segments)


@dataclass(frozen=True)
class IndexState:
    """An index at one moment."""

    variant: str
    """Name of the method."""

    model: str
    """Fingerprint of the model whose descriptors lie in it."""

    dimensions: dict[Purpose, int]
    """Of the vectors, by kind of descriptor that the model has."""

    sensors: dict[str, SensorState]
    """By name."""

    change: int = 0
    """Number of changes so far."""

    format: str = versions.INDEX
    """Of the files."""

    @property
    def kinds(self) -> tuple[Purpose, ...]:
        """Of descriptors that the model has."""
        return tuple(self.dimensions)


def write_state(folder: Path, state: IndexState) -> None:
    """Makes a state the index's current one: the moment at which a change happens."""
    atomic.write_json(folder / FILE, asdict(state))


def read_state(folder: Path) -> IndexState:
    """The index's current state.

    Raises:
        BrokenIndexError: there is none, or it is not readable, or an older version wrote it.
    """
    path = folder / FILE
    if not path.exists():
        raise BrokenIndexError(f"no index at {folder}; materialize it")
    try:
        fields = atomic.read_json(path)
    except JepaError as error:
        raise BrokenIndexError(f"{error}") from error
    if fields.get("format") != versions.INDEX:
        raise BrokenIndexError(f"{folder} was written by another version; materialize it again")
    # JSON was written with its keys sorted.
    dimensions = {kind: fields["dimensions"][kind] for kind in PURPOSES if kind in fields["dimensions"]}
    return IndexState(**{**fields, "dimensions": dimensions, "sensors": _sensors(fields["sensors"])})


def _sensors(fields: dict[str, Any]) -> dict[str, SensorState]:
    return {
        name: SensorState(
            segments=tuple(
                SegmentState(
                    **{
                        **segment,
                        "withdrawn": tuple(segment["withdrawn"]),
                        "files": {file: FileState(**state) for file, state in segment["files"].items()},
                    }
                )
                for segment in sensor["segments"]
            ),
            coarse={
                kind: Coarse(**{**coarse, "file": FileState(**coarse["file"])})
                for kind, coarse in sensor["coarse"].items()
            },
            changed=sensor["changed"],
        )
        for name, sensor in fields.items()
    }
