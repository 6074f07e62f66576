"""Bringing a variant's index in line with its descriptors, and making it the one that searches use."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from jepa_core import atomic, versions
from jepa_core.described_scenes import DescribedScene, described_scenes
from jepa_core.errors import NotMaterializedError, UnknownNameError
from jepa_core.index.errors import BrokenIndexError, plain_write_errors
from jepa_core.index.incoming import SceneVectors
from jepa_core.index.reader import Searchable
from jepa_core.index.rows import COLUMNS
from jepa_core.index.segment import check_content, check_file
from jepa_core.index.shards import cut, home_of, open_searchable, read_shards, scenes_a_shard, write_shards
from jepa_core.index.state import IndexState, read_state
from jepa_core.index.writer import Change, ChangeSummary, IndexWriter, writing
from jepa_core.progress import track
from jepa_core.sensors import SENSORS
from jepa_core.stages import weigh_again
from jepa_core.store import Store
from jepa_core.vectors import DescriptorError


@dataclass(frozen=True)
class CurrentIndex:
    """The index that searches use."""

    folder: Path
    """Of the index."""

    model: str
    """Fingerprint of its model."""

    model_folder: Path
    """Of its model."""


def sync_index(
    store: Store,
    variant: str,
    model: str,
    model_folder: Path,
    sensors: Sequence[str],
    scenes_per_shard: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ChangeSummary:
    """Adds, replaces and withdraws what the manifests say, then makes the index the current one.

    Until that moment searches use the index that was current before, of whatever model. Each shard changes as a whole.

    Args:
        store: the data root.
        variant: name of the method.
        model: fingerprint of the model.
        model_folder: of the model.
        sensors: names of the sensors that it describes.
        scenes_per_shard: cuts the index into shards of so many scenes; None: as many as before, or not at all.
        say: is told when another process writes to the index, or when it is broken and made anew.

    Raises:
        NotMaterializedError: a scene has no descriptors by the model; the message names the command.
        DescriptorError: descriptors of a scene are broken or another model's.
        IndexBusyError: another process writes to the index for longer than a minute.
        IndexWriteError: the index could not be written; it is as it was.
    """
    folder = store.index(variant, model)
    wanted = {name: described_scenes(store, variant, model, SENSORS[name]) for name in sensors}
    summaries = []
    with plain_write_errors(folder), _alone(store, variant, say):
        shards = before = read_shards(folder)
        most = scenes_per_shard or scenes_a_shard(folder)
        if most is not None:
            shards = cut(before, [scene.time for scenes in wanted.values() for scene in scenes], most)
        # The latest first: where ranges were cut, scenes come to the later one before they leave the earlier.
        for shard in reversed(shards):
            if shards != before and shard.name in {known.name for known in before}:
                write_shards(folder, shards, most)
                before = shards
            mine = {name: [s for s in scenes if home_of(shards, s.time) == shard] for name, scenes in wanted.items()}
            summaries.append(_sync(folder / shard.name, variant, model, mine, say))
        if shards != before or most != scenes_a_shard(folder):
            write_shards(folder, shards, most)
        make_current(store, variant, CurrentIndex(folder, model, model_folder))
    return ChangeSummary(*(sum(figures) for figures in zip(*map(astuple, summaries), strict=True)))


def compact(store: Store, variant: str, say: Callable[[str], None] = lambda _: None) -> None:
    """Rewrites the variant's current index without withdrawn rows, with newly trained quantisers.

    Raises:
        NotMaterializedError: there is no current index.
        BrokenIndexError: it is not whole.
        IndexBusyError: another process writes to the index for longer than a minute.
        IndexWriteError: the index could not be written; it is as it was.
    """
    # The stage's lock is taken first, as the stage does: its record is changed, too.
    with store.locked(f"{variant}_index", say), _alone(store, variant, say):
        # What is broken must not come out as if it were whole.
        current = current_index(store, variant)
        verify(current)
        try:
            for folder, _ in states(current):
                with writing(folder, say) as writer:
                    writer.compact()
        finally:
            weigh_again(store, f"{variant}_index", current.folder)


def _sync(
    folder: Path, variant: str, model: str, scenes: Mapping[str, Sequence[DescribedScene]], say: Callable[[str], None]
) -> ChangeSummary:
    with writing(folder, say) as writer:
        broken = writer.drop_if_broken()
        if broken is not None:
            say(f"the index is made anew: {broken}")
        changes = {name: _difference(name, of_sensor, writer) for name, of_sensor in scenes.items()}
        return writer.apply(variant, model, changes)


@contextmanager
def _alone(store: Store, variant: str, say: Callable[[str], None]) -> Iterator[None]:
    """Nobody else writes to any of the variant's indexes, or chooses among them."""
    # Waits however long it takes: what holds it is building an index, and a build may take an hour.
    with store.locked(f"{variant}_indexes", say):
        yield


def verify(index: CurrentIndex) -> None:
    """Reads all files of an index, and makes sure that they are as they were written.

    Raises:
        BrokenIndexError: one is not; the message names it.
    """
    for folder, state in states(index):
        verify_one(folder, state)


def verify_one(folder: Path, state: IndexState) -> None:
    """Reads all files of an index that is not cut, or of one shard; see `verify`.

    Raises:
        BrokenIndexError: one is not as it was written; the message names it.
    """
    for part in state.sensors.values():
        for coarse in part.coarse.values():
            check_file(folder / "coarse" / coarse.name, coarse.file)
        for segment in part.segments:
            check_content(folder / "segments" / segment.name, segment)


def states(index: CurrentIndex) -> list[tuple[Path, IndexState]]:
    """Folder and state of each of an index's shards, or of the index.

    Raises:
        BrokenIndexError: one is not there.
    """
    return [(folder, read_state(folder)) for folder in (index.folder / s.name for s in read_shards(index.folder))]


def make_current(store: Store, variant: str, index: CurrentIndex) -> None:
    """Has the variant's searches use an index from now on; those under way go on with the one they opened."""
    places = {name: str(path.relative_to(store.root)) for name, path in vars(index).items() if name != "model"}
    atomic.write_json(_pointer(store, variant), {**places, "model": index.model})


def current_index(store: Store, variant: str) -> CurrentIndex:
    """The variant's index that searches use.

    Raises:
        UnknownNameError: no such variant; the message lists those there are.
        NotMaterializedError: there is none; the message names the command that makes it.
    """
    if variant not in versions.MODEL:
        raise UnknownNameError(f"no variant {variant!r}; there are {', '.join(versions.MODEL)}")
    path = _pointer(store, variant)
    if not path.exists():
        raise NotMaterializedError(
            f"no {variant} index in {store.root}. Run: dagster asset materialize --select {variant}_index"
        )
    fields = atomic.read_json(path)
    return CurrentIndex(store.root / fields["folder"], fields["model"], store.root / fields["model_folder"])


def open_current(current: CurrentIndex) -> Searchable:
    """Opens the index that searches use.

    Raises:
        BrokenIndexError: it is not there or not whole.
    """
    try:
        return open_searchable(current.folder)
    except BrokenIndexError as error:
        if "Run: " in str(error):
            raise
        variant = current.folder.parent.name
        raise BrokenIndexError(f"{error}. Run: dagster asset materialize --select {variant}_index") from error


def old_indexes(store: Store, variant: str) -> list[Path]:
    """Folders of the variant's indexes of other models than the current one's.

    Raises:
        NotMaterializedError: there is no current index.
    """
    current = current_index(store, variant).folder
    return [path for path in sorted(current.parent.iterdir()) if path.is_dir() and path != current]


def remove_index(folder: Path) -> None:
    """Removes an index with all its shards. A process that has it open goes on searching it."""
    for shard in read_shards(folder):
        # Shards may lie elsewhere, and be linked.
        shutil.rmtree((folder / shard.name).resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _pointer(store: Store, variant: str) -> Path:
    return store.root / "indexes" / variant / "current.json"


def _difference(sensor: str, scenes: Sequence[DescribedScene], writer: IndexWriter) -> Change:
    there = writer.scenes(sensor)
    wanted = {scene.scene_id for scene in scenes}
    new = [scene for scene in scenes if there.get(scene.scene_id) != scene.mark]

    def added() -> Iterator[SceneVectors]:
        for scene in track(new, f"Indexing {sensor}", unit="scene"):
            try:
                content = scene.read()
            except OSError as error:
                raise DescriptorError(f"{scene.descriptors} or {scene.table} cannot be read: {error}") from error
            yield SceneVectors(scene.scene_id, scene.mark, content.patches[list(COLUMNS)], content.vectors)

    return Change(added(), [scene for scene in there if scene not in wanted])
