"""A data root as the chain leaves it, records and all, on the synthetic archive."""

import shutil

import pytest

from jepa_core import atomic
from jepa_core.archive.discover import Archive
from jepa_core.chain import PATCH_PAIRS, SENTINEL1_PATCHES, SENTINEL2_PATCHES, descriptors_step, index_step, model_step
from jepa_core.descriptors import descriptor_files
from jepa_core.index.sync import sync_index
from jepa_core.operating.listing import listed_now
from jepa_core.patch_store import patches_version, scene_files
from jepa_core.sensors import SENSORS
from jepa_core.stages import StageRecord, read_record, size_of, write_record
from jepa_core.staleness import wanted
from jepa_core.store import Store


def note(store, archive, step, outputs, data_version=None, **summary):
    """The record of a stage that was just made, as the chain writes it."""
    listed = listed_now(store, Archive(archive), step.archive).version if step.archive else None
    now = wanted(step, {}, {n: read_record(store, n) for n in step.upstream}, listed)
    sizes = {str(path.relative_to(store.root)): size_of(path) for path in outputs}
    shown = {"pictures": {}, "tables": {}, "links": {}}
    atomic.write_json(store.stage_records / "shown" / f"{step.name}.json", shown)
    version = data_version or now.fingerprint
    record = StageRecord(step.name, now.fingerprint, version, {}, now.inputs, sizes, summary, 1.0, now.making)
    write_record(store, record)


def note_all(store, archive, model):
    """Records of all stages to the index, upstream first."""
    for step in (SENTINEL1_PATCHES, SENTINEL2_PATCHES):
        note(store, archive, step, scene_files(store, step.archive), patches_version(store, step.archive))
    # The version that the model of the fixtures was trained from.
    note(store, archive, PATCH_PAIRS, [store.pairs], "0" * 64)
    folder = store.model("crjepa", "0" * 64)
    where = str(folder.relative_to(store.root))
    note(store, archive, model_step("crjepa"), [folder], model.fingerprint, folder=where)
    note(store, archive, descriptors_step("crjepa"), descriptor_files(store, model))
    index = store.index("crjepa", model.fingerprint)
    about = {"folder": str(index.relative_to(store.root)), "model": model.fingerprint}
    note(store, archive, index_step("crjepa"), [index], **about)


def sync(store, model):
    sync_index(store, "crjepa", model.fingerprint, store.model("crjepa", "0" * 64), tuple(SENSORS))


@pytest.fixture(scope="session")
def made(cut_store, trained, described, synthetic_archive, tmp_path_factory):
    """The root that is copied; read only."""
    store = Store.at(shutil.copytree(cut_store.root, tmp_path_factory.mktemp("made") / "data"))
    atomic.write_json(store.root / "root.json", {"archive": str(synthetic_archive.resolve())})
    sync(store, trained)
    note_all(store, synthetic_archive, trained)
    return store


@pytest.fixture
def root(made, synthetic_archive, tmp_path, monkeypatch):
    """A copy to be changed, named by the settings."""
    store = Store.at(shutil.copytree(made.root, tmp_path / "data"))
    monkeypatch.setenv("JEPA_DATA", str(store.root))
    monkeypatch.setenv("JEPA_ARCHIVE", str(synthetic_archive))
    return store
