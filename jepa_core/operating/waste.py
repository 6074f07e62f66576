"""What nothing needs any more, and why: what `jepa prune` removes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jepa_core import atomic, versions
from jepa_core.errors import JepaError
from jepa_core.fingerprint import fingerprint, short
from jepa_core.index.sync import old_indexes, remove_index
from jepa_core.operating.inventory import (
    folders,
    last_trained,
    read_model_folder,
    reported_models,
    serving_index,
    variants_there,
)
from jepa_core.operating.leftovers import left_overs
from jepa_core.operating.working import locks_over
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import SENSORS
from jepa_core.stages import read_record
from jepa_core.store import Store


@dataclass(frozen=True)
class Wish:
    """How much is to go."""

    all_models: bool = False
    """Earlier models too that nothing names; else the latest of them stays."""

    downloads: bool = False
    """Files fetched from elsewhere too."""


@dataclass(frozen=True)
class Waste:
    """Something that nothing needs."""

    kind: str
    """What it is."""

    path: Path
    """Where it lies."""

    why: str
    """Why nothing needs it."""

    locks: tuple[str, ...]
    """Held by whoever writes there."""

    def remove(self) -> None:
        """Removes it.

        Raises:
            OSError: it is still there afterwards.
        """
        if self.kind == "index":
            remove_index(self.path)
        else:
            atomic.remove(self.path)
        if self.path.exists():
            # Removing passes over what it may not: this says what that was.
            shutil.rmtree(self.path) if self.path.is_dir() else self.path.unlink()


Finder = Callable[[Store, Wish], list[Waste]]
"""Raises `JepaError` where it cannot be known what is needed: then nothing of that kind is waste."""


def indexes(store: Store, wish: Wish) -> list[Waste]:
    """Indexes of models that are neither the current index's nor the last trained."""
    found = []
    for variant in variants_there(store):
        if serving_index(store, variant) is None:
            continue
        trained = last_trained(store, variant)
        next_one = None if trained is None else store.index(variant, trained.fingerprint)
        found += [
            _waste(store, "index", path, "of another model than the current index's")
            for path in old_indexes(store, variant)
            if path != next_one
        ]
    return found


def descriptors(store: Store, wish: Wish) -> list[Waste]:
    """Descriptors of models that neither serve nor were trained last, and of scenes that are gone."""
    found = []
    for variant in variants_there(store):
        serving, trained = serving_index(store, variant), last_trained(store, variant)
        needed = {short(serving.model) if serving else "", short(trained.fingerprint) if trained else ""} - {""}
        for folder in folders(store.root / "descriptors" / variant):
            if needed and folder.name not in needed:
                found.append(_waste(store, "descriptors", folder, "of a model that neither serves nor is the last"))
                continue
            for sensor in folders(folder):
                found += [
                    _waste(store, "descriptors", path, "of a scene that is not in the manifest")
                    for path in _without_scene(store, sensor)
                ]
    return found


def _without_scene(store: Store, folder: Path) -> Iterator[Path]:
    manifest = read_manifest(store, SENSORS[folder.name]) if folder.name in SENSORS else None
    # Where nothing was cut, it is more likely lost than withdrawn.
    if manifest is not None and len(manifest):
        there = set(manifest["folder"])
        yield from (path for path in sorted(folder.glob("[!.]*.parquet")) if path.stem not in there)


def scenes(store: Store, wish: Wish) -> list[Waste]:
    """Folders of scenes that the manifest does not name: withdrawn or replaced, or left by a killed run."""
    found = []
    for sensor in SENSORS.values():
        manifest = read_manifest(store, sensor)
        # Where nothing was cut, it is more likely lost than withdrawn.
        named = set(manifest["folder"]) if len(manifest) else {path.name for path in folders(store.patches(sensor))}
        why = "the manifest does not name it"
        found += [_waste(store, "scene", p, why) for p in folders(store.patches(sensor)) if p.name not in named]
    return found


def models(store: Store, wish: Wish) -> list[Waste]:
    """Models that no record, no current index and no report names; of each variant the latest of them stays."""
    found = []
    reported = set(reported_models(store))
    for variant in variants_there(store):
        serving, trained = serving_index(store, variant), last_trained(store, variant)
        named = {serving.model_folder if serving else None, trained.folder if trained else None}
        unnamed = []
        for folder in folders(store.root / "models" / variant):
            if folder in named:
                continue
            try:
                model = read_model_folder(folder)
            except JepaError:
                # Not whole: it can neither describe nor be trained further.
                found.append(_waste(store, "model", folder, "not whole, and nothing names it"))
                continue
            if model.fingerprint not in reported:
                unnamed.append(model)
        unnamed.sort(key=lambda model: model.written)
        for model in unnamed if wish.all_models else unnamed[:-1]:
            why = "no record, index or report names it"
            found.append(_waste(store, "model", model.folder, why))
    return found


def checkpoints(store: Store, wish: Wish) -> list[Waste]:
    """Checkpoints of trainings whose model is there."""
    found = []
    for folder in folders(store.root / "training"):
        variant, _, run = folder.name.partition("-")
        try:
            read_model_folder(store.root / "models" / variant / run)
        except JepaError:
            continue
        found.append(_waste(store, "checkpoints", folder, "their training has ended"))
    return found


def caches(store: Store, wish: Wish) -> list[Waste]:
    """Training caches of pairs that are not current, and that no training under way reads."""
    record = read_record(store, "patch_pairs")
    # Without it nothing says which pairs are current.
    if record is None:
        return []
    version = fingerprint([record.data_version, versions.CACHE])
    needed = {store.training_cache(version).name, store.training_probe(version).name}
    for job in sorted((store.root / "training").glob("[!.]*/job.json")):
        fields = atomic.read_json(job)
        needed |= {Path(fields[part]).name for part in ("cache", "probe") if fields.get(part)}
    return [
        _waste(store, "cache", folder, "of pairs that are not current")
        for folder in folders(store.root / "cache")
        if folder.name not in needed
    ]


def temporary(store: Store, wish: Wish) -> list[Waste]:
    """What killed processes left half written."""
    return [_waste(store, "temporary", path, "its writer is gone") for path in left_overs(store)]


def downloads(store: Store, wish: Wish) -> list[Waste]:
    """Files fetched from elsewhere, where they are to go."""
    if not wish.downloads or not store.downloads.is_dir():
        return []
    paths = sorted(path for path in store.downloads.iterdir() if not path.name.startswith("."))
    return [_waste(store, "download", path, "fetched again when it is needed") for path in paths]


FINDERS: tuple[Finder, ...] = (indexes, descriptors, scenes, models, checkpoints, caches, temporary, downloads)
"""In the order in which they are removed: indexes before the models that they are of."""


def _waste(store: Store, kind: str, path: Path, why: str) -> Waste:
    return Waste(kind, path, why, locks_over(store, path))
