"""The current index of a variant: which it is, its files, and what is in it."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jepa_core.described_scenes import DescribedScene, described_scenes
from jepa_core.errors import JepaError
from jepa_core.index.errors import BrokenIndexError
from jepa_core.index.filters import EVERYTHING
from jepa_core.index.reader import open_index
from jepa_core.index.shards import read_shards
from jepa_core.index.state import FILE, read_state
from jepa_core.index.sync import CurrentIndex, current_index, make_current, verify_one
from jepa_core.operating.findings import Cure, Finding, Ward, reason, settled
from jepa_core.operating.inventory import folders, last_trained, serving_index
from jepa_core.progress import track
from jepa_core.sensors import SENSORS
from jepa_core.stages import read_record


def check_index(ward: Ward, variant: str) -> Iterator[Finding]:
    """The index that the variant's searches use."""
    pointer = ward.store.root / "indexes" / variant / "current.json"
    if not pointer.exists():
        return
    found = settled(partial(_pointer, ward, variant, pointer), [pointer])
    yield from found
    if found:
        return
    current = current_index(ward.store, variant)
    try:
        shards = read_shards(current.folder)
    except (JepaError, KeyError, TypeError) as error:
        yield _broken(ward, variant, current, current.folder, f"says not which shards it has: {reason(error)}")
        return
    whole = True
    for shard in track(shards, f"Checking the {variant} index", unit="shard"):
        folder = current.folder / shard.name
        files = settled(partial(_files, ward, variant, current, folder), [pointer, folder / FILE])
        whole &= not files
        yield from files
    if whole:
        says = [pointer, *(current.folder / shard.name / FILE for shard in shards)]
        yield from settled(partial(_content, ward, variant, current), says)


def _pointer(ward: Ward, variant: str, pointer: Path) -> list[Finding]:
    if not pointer.exists():
        return []
    path = pointer
    try:
        current = serving_index(ward.store, variant)
        if current is None or current.folder.is_dir():
            return []
        path, what = current.folder, "is the current index, and is not there"
    except JepaError as error:
        what = reason(error)
    name = f"{variant}_index"

    def name_anew() -> str:
        trained = last_trained(ward.store, variant)
        index = ward.store.index(variant, trained.fingerprint) if trained is not None else None
        try:
            if trained is not None and index is not None and open_index(index).model == trained.fingerprint:
                make_current(ward.store, variant, CurrentIndex(index, trained.fingerprint, trained.folder))
                return f"wrote {pointer} anew, for the index of the last model"
        except JepaError:
            pass
        pointer.unlink(missing_ok=True)
        if index is not None:
            # Its stage would find it as it was, and make nothing.
            (index / FILE).unlink(missing_ok=True)
        return f"deleted {pointer}"

    said = f"naming the index of the last model there, or deleting it, and: dagster asset materialize --select {name}"
    return [Finding(path, what, "searches find no index", said, cure=Cure((f"{variant}_indexes",), name_anew, name))]


def _files(ward: Ward, variant: str, current: CurrentIndex, folder: Path) -> list[Finding]:
    try:
        if current_index(ward.store, variant) != current:
            return []
        verify_one(folder, read_state(folder))
        if open_index(folder).model != current.model:
            return [_broken(ward, variant, current, folder, "is of another model than is searched with")]
    except (JepaError, OSError, KeyError, TypeError) as error:
        return [_broken(ward, variant, current, folder, reason(error))]
    return []


def _broken(ward: Ward, variant: str, current: CurrentIndex, folder: Path, what: str) -> Finding:
    name = f"{variant}_index"

    def drop() -> str:
        # Shards may be links to other disks: what is in them goes, they stay.
        (folder / FILE).unlink(missing_ok=True)
        for part in ("segments", "coarse"):
            shutil.rmtree(folder / part, ignore_errors=True)
        if not (folder / FILE).exists() and folder == current.folder:
            for shard in folders(folder):
                (shard / FILE).unlink(missing_ok=True)
            (folder / "shards.json").unlink(missing_ok=True)
        return f"dropped the index in {folder}"

    means = "searches fail, or find what they should not"
    said = f"dropping it, and: dagster asset materialize --select {name}"
    return Finding(folder, what, means, said, cure=Cure((f"{variant}_indexes",), drop, name))


def _content(ward: Ward, variant: str, current: CurrentIndex) -> list[Finding]:
    """Whether the index holds the scenes of the manifests, where it was made from them as they are."""
    if not _of_these_descriptors(ward, variant, current):
        return []
    held: dict[str, dict[str, str]] = {}
    names: dict[str, list[pa.ChunkedArray]] = {}
    for shard in read_shards(current.folder):
        for sensor, side in open_index(current.folder / shard.name).sensors.items():
            for segment in side.segments:
                held.setdefault(sensor, {}).update(segment.live_scenes())
                alive = segment.kept(EVERYTHING)
                column = segment.rows.table["patch_id"]
                names.setdefault(sensor, []).append(column if alive is None else column.filter(pa.array(alive.mask)))
    for sensor, scenes in held.items():
        wanted = {s.scene_id: s for s in described_scenes(ward.store, variant, current.model, SENSORS[sensor])}
        what = _other_scenes(sensor, scenes, wanted)
        if what is None and not ward.broken.get(sensor):
            what = _other_patches(sensor, names[sensor], list(wanted.values()))
        if what is not None:
            return [_broken(ward, variant, current, current.folder, what)]
    return []


def _other_scenes(sensor: str, held: dict[str, str], wanted: dict[str, DescribedScene]) -> str | None:
    other = sorted(held.keys() ^ wanted.keys()) or sorted(s for s in held if held[s] != wanted[s].mark)
    if not other:
        return None
    return f"holds {len(other):,} {sensor} scenes otherwise than the manifest, first {other[0]}"


def _other_patches(sensor: str, held: list[pa.ChunkedArray], scenes: list[DescribedScene]) -> str | None:
    # As arrays: of ten million names a set would take gigabytes.
    of_index = _sorted(held)
    of_tables = _sorted([pq.read_table(scene.table, columns=["patch_id"])["patch_id"] for scene in scenes])
    if of_index.equals(of_tables):
        return None
    return f"holds {len(of_index):,} {sensor} patches, which are not the {len(of_tables):,} of the manifest"


def _sorted(parts: list[pa.ChunkedArray]) -> pa.Array:
    names = pa.concat_arrays([chunk.cast(pa.string()) for part in parts for chunk in part.chunks])
    return names.take(pc.array_sort_indices(names))


def _of_these_descriptors(ward: Ward, variant: str, current: CurrentIndex) -> bool:
    """Whether index and descriptors were made from what is there now: otherwise they are stale, which is no fault."""
    try:
        chain = [read_record(ward.store, f"{variant}_{part}") for part in ("index", "descriptors")]
        for record in chain:
            if record is None:
                return False
            for name, version in record.inputs.items():
                upstream = read_record(ward.store, name)
                if upstream is None or upstream.data_version != version:
                    return False
        trained = last_trained(ward.store, variant)
        wanted = (
            [described_scenes(ward.store, variant, current.model, SENSORS[name]) for name in trained.sensors]
            if (trained is not None and trained.fingerprint == current.model)
            else []
        )
        return bool(wanted)
    except (JepaError, BrokenIndexError, OSError):
        # Another check says what it is.
        return False
