"""A segment: scenes that were written to the index together, in files that never change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import pyarrow as pa

from jepa_core import atomic
from jepa_core.index import coarse as coarse_lists
from jepa_core.index.coarse import Lists, Trained
from jepa_core.index.errors import BrokenIndexError
from jepa_core.index.files import FileState, same_file
from jepa_core.index.filters import EVERYTHING, Filter
from jepa_core.index.rows import Patch, Rows, open_rows, write_rows
from jepa_core.index.state import SegmentState
from jepa_core.index.vectors import FullVectors, open_vectors, selector_of, write_vectors
from jepa_core.tables import SEGMENT_SCENES, InvalidTableError, read_table, write_table
from jepa_core.vectors import PURPOSES, Purpose


@dataclass(frozen=True)
class Part:
    """Some scenes with all that a segment holds of them, in memory."""

    scenes: pd.DataFrame
    """Schema `tables.SEGMENT_SCENES`."""

    rows: pa.Table
    """As `rows.rows_of` gives it."""

    vectors: Mapping[Purpose, np.ndarray]
    """By kind: float16 (rows, dimension), unit norm."""

    assigned: Mapping[Purpose, np.ndarray]
    """By kind: list of each row, int32; for the kinds that have a coarse quantiser."""


class Kept:
    """Rows of a segment that a search may find."""

    def __init__(self, mask: np.ndarray) -> None:
        """Keeps which they are, (rows,) of bool."""
        self.mask = mask

    @cached_property
    def count(self) -> int:
        """How many."""
        return int(self.mask.sum())

    @cached_property
    def selector(self) -> faiss.IDSelector:
        """The same for faiss."""
        return selector_of(self.mask)


class Segment:
    """A segment opened for reading; its files stay readable for as long as it is held, even when they are removed."""

    def __init__(
        self,
        state: SegmentState,
        scenes: pd.DataFrame,
        rows: Rows,
        vectors: Mapping[Purpose, FullVectors],
        lists: Mapping[Purpose, Lists],
    ) -> None:
        """Keeps the opened files."""
        self.state = state
        self.scenes = scenes
        self.rows = rows
        self.vectors = vectors
        self.lists = lists
        self._names = scenes["scene_id"].to_numpy(dtype=object)
        self._starts = scenes["start"].to_numpy()
        self._stops = scenes["stop"].to_numpy()

    def live_scenes(self) -> dict[str, str]:
        """Mark of each scene that is in the index, by scene id."""
        gone = set(self.state.withdrawn)
        return {
            name: mark
            for i, (name, mark) in enumerate(zip(self._names, self.scenes["mark"], strict=True))
            if i not in gone
        }

    def numbers_of(self, scenes: Sequence[str]) -> list[int]:
        """Numbers of those of some scenes that are here and not withdrawn."""
        wanted, gone = set(scenes), set(self.state.withdrawn)
        return [i for i, name in enumerate(self._names) if name in wanted and i not in gone]

    def rows_of_scenes(self, numbers: Sequence[int]) -> int:
        """How many rows some scenes have."""
        at = list(numbers)
        return int((self._stops[at] - self._starts[at]).sum())

    def scene_of(self, rows: np.ndarray) -> list[str]:
        """Scene id of each of some rows."""
        found: list[str] = self._names[self._numbers(rows)].tolist()
        return found

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        """Number of each of some rows' scenes."""
        return np.searchsorted(self._starts, rows, "right") - 1

    def kept(self, where: Filter) -> "Kept | None":
        """Rows that a search may find; None for all of them."""
        return self._live if where.passes_all else Kept(self._passing(where))

    @cached_property
    def _live(self) -> "Kept | None":
        # Most searches have no filter: what was withdrawn is worked out once.
        return Kept(self._passing(EVERYTHING)) if self.state.withdrawn else None

    def _passing(self, where: Filter) -> np.ndarray:
        kept = self.rows.passing(where)
        if where.scenes:
            kept_scenes = np.zeros(len(self._names), bool)
            kept_scenes[self.numbers_of(where.scenes)] = True
            kept &= np.repeat(kept_scenes, self._stops - self._starts)
        for number in self.state.withdrawn:
            kept[self._starts[number] : self._stops[number]] = False
        return kept

    def row_of(self, patch_id: str) -> int | None:
        """Row of a patch that is in the index."""
        rows = np.array(self.rows.row_of(patch_id), np.int64)
        live = rows[~np.isin(self._numbers(rows), self.state.withdrawn)]
        return int(live[0]) if len(live) else None

    def live_among(self, ids: np.ndarray) -> list[Patch]:
        """Patches in the index that have one of some ids."""
        rows = self.rows.holding(ids)
        gone = np.isin(self._numbers(rows), self.state.withdrawn)
        return self.patches(rows[~gone])

    def patches(self, rows: np.ndarray) -> list[Patch]:
        """Some rows as records."""
        return self.rows.patches(rows.tolist(), self.scene_of(rows))

    def part(self) -> Part:
        """All that is still in the index, scene by scene in the order of the rows."""
        alive = self.kept(EVERYTHING)
        kept = np.arange(len(self.rows)) if alive is None else np.flatnonzero(alive.mask)
        scenes = self.scenes.drop(index=list(self.state.withdrawn))
        stops = (scenes["stop"] - scenes["start"]).cumsum()
        starts = stops - (scenes["stop"] - scenes["start"])
        table = self.rows.table.drop_columns(["sorted_ids", "sorted_rows"])
        return Part(
            scenes=scenes.assign(start=starts, stop=stops).reset_index(drop=True),
            rows=table if alive is None else table.take(pa.array(kept)),
            vectors={kind: full.half[kept] for kind, full in self.vectors.items()},
            assigned={kind: lists.assigned[kept] for kind, lists in self.lists.items()},
        )


def joined(parts: Sequence[Part]) -> Part:
    """Several parts as one; all have lists of the same kinds."""
    offsets = np.cumsum([0, *(part.rows.num_rows for part in parts)])
    scenes = [
        p.scenes.assign(start=p.scenes["start"] + o, stop=p.scenes["stop"] + o)
        for p, o in zip(parts, offsets[:-1], strict=True)
    ]
    return Part(
        scenes=pd.concat(scenes, ignore_index=True),
        rows=pa.concat_tables([part.rows for part in parts]),
        vectors={kind: np.concatenate([part.vectors[kind] for part in parts]) for kind in parts[0].vectors},
        assigned={kind: np.concatenate([part.assigned[kind] for part in parts]) for kind in parts[0].assigned},
    )


def write_segment(folder: Path, part: Part, trained: Mapping[Purpose, Trained]) -> SegmentState:
    """Writes a segment, atomically.

    Args:
        folder: takes the files; its name is the segment's.
        part: what goes in; its lists are those of `trained`.
        trained: coarse quantiser of each kind that has one.
    """
    with atomic.new_folder(folder) as temporary:
        write_table(part.scenes, SEGMENT_SCENES, temporary / "scenes.parquet")
        write_rows(part.rows, temporary / "rows.arrow")
        for kind, vectors in part.vectors.items():
            write_vectors(vectors, temporary / f"{kind}.vectors")
        _write_lists(temporary, trained, part.vectors, part.assigned)
        files = {path.name: FileState.of(path) for path in sorted(temporary.iterdir())}
    return SegmentState(folder.name, part.rows.num_rows, withdrawn=(), withdrawn_rows=0, files=files)


def relist_segment(folder: Path, segment: Segment, old: Path, trained: Mapping[Purpose, Trained]) -> SegmentState:
    """Writes a segment anew with lists of other quantisers, atomically; the rest is the old one's files.

    Args:
        folder: takes the files; its name is the segment's.
        segment: the old one.
        old: its folder.
        trained: coarse quantiser of each kind.
    """
    with atomic.new_folder(folder) as temporary:
        kept = {k: v for k, v in segment.state.files.items() if not k.endswith((".lists", ".assigned.npy"))}
        for name in kept:
            same_file(old / name, temporary / name)
        vectors = {kind: segment.vectors[kind].half for kind in trained}
        _write_lists(
            temporary, trained, vectors, {kind: assign(quantiser, vectors[kind]) for kind, quantiser in trained.items()}
        )
        new = {path.name: FileState.of(path) for path in sorted(temporary.iterdir()) if path.name not in kept}
    return replace(segment.state, name=folder.name, files={**kept, **new})


def assign(quantiser: Trained, vectors: np.ndarray, block: int = 50_000) -> np.ndarray:
    """List of each of some float16 vectors, int32 (rows,)."""
    parts = [vectors[start : start + block] for start in range(0, len(vectors), block)]
    return np.concatenate([quantiser.assign(np.ascontiguousarray(part, np.float32)) for part in parts])


def _write_lists(
    folder: Path,
    trained: Mapping[Purpose, Trained],
    vectors: Mapping[Purpose, np.ndarray],
    assigned: Mapping[Purpose, np.ndarray],
) -> None:
    for kind, quantiser in trained.items():
        np.save(folder / f"{kind}.assigned.npy", assigned[kind])
        coarse_lists.write_lists(folder / f"{kind}.lists", quantiser, vectors[kind], assigned[kind])


def open_segment(folder: Path, state: SegmentState, trained: Mapping[Purpose, Trained]) -> Segment:
    """Opens a segment; its vectors and lists are mapped, not read.

    Raises:
        BrokenIndexError: a file is missing, cut short or unreadable; the message names it.
    """
    for name, file in state.files.items():
        try:
            size = (folder / name).stat().st_size
        except FileNotFoundError as error:
            raise BrokenIndexError(f"{folder / name} is missing") from error
        if size != file.bytes:
            raise BrokenIndexError(f"{folder / name} has {size:,} bytes, not {file.bytes:,}")
    kinds = [kind for kind in PURPOSES if f"{kind}.vectors" in state.files]
    try:
        lists = {}
        for kind, quantiser in trained.items():
            assigned = np.load(folder / f"{kind}.assigned.npy", mmap_mode="r")
            lists[kind] = coarse_lists.open_lists(folder / f"{kind}.lists", quantiser, assigned)
        return Segment(
            state,
            read_table(folder / "scenes.parquet", SEGMENT_SCENES),
            open_rows(folder / "rows.arrow"),
            {kind: open_vectors(folder / f"{kind}.vectors") for kind in kinds},
            lists,
        )
    except (InvalidTableError, RuntimeError, ValueError, OSError, pa.ArrowException) as error:
        raise BrokenIndexError(f"{folder} is not readable ({error}); delete it") from error


def check_content(folder: Path, state: SegmentState) -> None:
    """Reads a segment's files, and makes sure that they are as they were written.

    Raises:
        BrokenIndexError: one is not; the message names it.
    """
    for name, file in state.files.items():
        check_file(folder / name, file)


def check_file(path: Path, file: FileState) -> None:
    """Reads a file, and makes sure that it is as it was written.

    Raises:
        BrokenIndexError: it is not.
    """
    if not path.exists() or FileState.of(path) != file:
        raise BrokenIndexError(f"{path} is not what was written; delete it and materialize the index again")
