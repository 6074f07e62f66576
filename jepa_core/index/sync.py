"""Bringing a variant's index in line with its descriptors, and making it the one that searches use."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jepa_core import atomic, versions
from jepa_core.described_scenes import described_scenes
from jepa_core.errors import NotMaterializedError, UnknownNameError
from jepa_core.index.incoming import SceneVectors
from jepa_core.index.reader import Searchable, open_index
from jepa_core.index.rows import COLUMNS
from jepa_core.index.state import FILE
from jepa_core.index.writer import Change, ChangeSummary, IndexWriter, writing
from jepa_core.progress import track
from jepa_core.sensors import SENSORS
from jepa_core.store import Store


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
    sensors: tuple[str, ...],
    say: Callable[[str], None] = lambda _: None,
) -> ChangeSummary:
    """Adds, replaces and withdraws what the manifests say, then makes the index the current one.

    Until that moment searches use the index that was current before, of whatever model.

    Args:
        store: the data root.
        variant: name of the method.
        model: fingerprint of the model.
        model_folder: of the model.
        sensors: names of the sensors that it describes.
        say: is told when another process writes to the index, or when it is broken and made anew.

    Raises:
        NotMaterializedError: a scene has no descriptors by the model; the message names the command.
        DescriptorError: descriptors of a scene are broken or another model's.
        IndexBusyError: another process writes to the index for longer than a minute.
        IndexWriteError: the index could not be written; it is as it was.
    """
    folder = store.index(variant, model)
    with writing(folder, say) as writer:
        broken = writer.drop_if_broken()
        if broken is not None:
            say(f"the index is made anew: {broken}")
        changes = {sensor: _difference(store, variant, model, sensor, writer) for sensor in sensors}
        summary = writer.apply(variant, model, changes)
        make_current(store, variant, CurrentIndex(folder, model, model_folder))
    return summary


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
    return open_index(current.folder)


def old_indexes(store: Store, variant: str) -> list[Path]:
    """Folders of the variant's indexes of other models than the current one's.

    Raises:
        NotMaterializedError: there is no current index.
    """
    current = current_index(store, variant).folder
    return [path for path in sorted(current.parent.iterdir()) if path.is_dir() and path != current]


def prune(store: Store, variant: str) -> list[Path]:
    """Removes the variant's indexes of other models than the current one's; gives their folders.

    A process that has one of them open goes on searching it.

    Raises:
        NotMaterializedError: there is no current index.
        IndexBusyError: one of them is being written to.
    """
    removed = old_indexes(store, variant)
    for folder in removed:
        with writing(folder):
            # Without this file it is no index, whatever happens before the rest is gone.
            (folder / FILE).unlink(missing_ok=True)
            shutil.rmtree(folder)
    return removed


def _pointer(store: Store, variant: str) -> Path:
    return store.root / "indexes" / variant / "current.json"


def _difference(store: Store, variant: str, model: str, sensor: str, writer: IndexWriter) -> Change:
    wanted = {scene.scene_id: scene for scene in described_scenes(store, variant, model, SENSORS[sensor])}
    there = writer.scenes(sensor)
    new = [scene for scene in wanted.values() if there.get(scene.scene_id) != scene.mark]

    def added() -> Iterator[SceneVectors]:
        for scene in track(new, f"Indexing {sensor}", unit="scene"):
            content = scene.read()
            yield SceneVectors(scene.scene_id, scene.mark, content.patches[list(COLUMNS)], content.vectors)

    return Change(added(), [scene for scene in there if scene not in wanted])
