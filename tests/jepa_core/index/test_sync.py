import shutil

import numpy as np
import pytest

from jepa_core import atomic
from jepa_core.describing.archive import describe_archive
from jepa_core.errors import NotMaterializedError
from jepa_core.index import BrokenIndexError, coarse, open_index, sensor_index
from jepa_core.index.sync import compact, current_index, old_indexes, open_current, remove_index, sync_index, verify
from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.sensors import SENSORS, SENTINEL1, SENTINEL2
from jepa_core.stages import StageRecord, lost_output, read_record, size_of, write_record
from jepa_core.store import Store
from jepa_core.tables import SCENES, write_table
from jepa_core.vectors import DescriptorError


@pytest.fixture
def store(cut_store, described, tmp_path):
    """A data root with descriptors, to be changed."""
    return Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))


def sync(store, trained, say=lambda _: None, scenes_per_shard=None):
    model = next((store.root / "models" / "crjepa").iterdir())
    return sync_index(store, "crjepa", trained.fingerprint, model, tuple(SENSORS), scenes_per_shard, say)


def test_the_index_holds_every_patch_with_its_descriptors(store, trained, described):
    done = sync(store, trained)
    assert (done.scenes_added, done.scenes_replaced, done.scenes_withdrawn, done.patches) == (16, 0, 0, 48)
    index = open_current(current_index(store, "crjepa"))
    for sensor in (SENTINEL1, SENTINEL2):
        found = described[sensor.name]
        for purpose in ("same", "cross"):
            for i in (0, 7, 23):
                stored = index.vector(str(found.patch_ids[i]), purpose, sensor)
                np.testing.assert_allclose(stored[0], found.vectors[purpose][i], atol=1e-3)
    row = read_patches(store, SENTINEL2).iloc[5]
    hit = index.patch(row["patch_id"], SENTINEL2)
    assert hit.labels == tuple(row["labels"])
    assert (hit.scene_id, hit.cell_id, hit.lon, hit.lat) == (row["scene_id"], row["cell_id"], row["lon"], row["lat"])
    assert hit.time == row["time"]


def test_again_there_is_nothing_to_do(store, trained):
    sync(store, trained)
    before = atomic.read_json(store.index("crjepa", trained.fingerprint) / "index.json")
    done = sync(store, trained)
    assert (done.scenes_added, done.scenes_replaced, done.scenes_withdrawn, done.patches) == (0, 0, 0, 48)
    assert atomic.read_json(store.index("crjepa", trained.fingerprint) / "index.json") == before


def test_only_what_changed_is_changed(store, trained):
    sync(store, trained)
    manifest = read_manifest(store, SENTINEL2)
    # A scene goes, and one is cut again with other content.
    manifest.loc[1, "holds"] = "0" * 64
    write_table(manifest.iloc[1:], SCENES, store.patches(SENTINEL2) / "manifest.parquet")
    done = sync(store, trained)
    assert (done.scenes_added, done.scenes_replaced, done.scenes_withdrawn, done.patches) == (0, 1, 1, 45)


def test_a_scene_without_descriptors_is_named_and_the_index_stays(store, trained):
    sync(store, trained)
    manifest = read_manifest(store, SENTINEL2)
    manifest.loc[1, "holds"] = "0" * 64
    write_table(manifest, SCENES, store.patches(SENTINEL2) / "manifest.parquet")
    folder = store.descriptors("crjepa", trained.fingerprint) / "sentinel2"
    (folder / f"{manifest['folder'][1]}.parquet").unlink()
    with pytest.raises(NotMaterializedError, match=manifest["scene_id"][1]):
        sync(store, trained)
    assert open_current(current_index(store, "crjepa")).count(SENTINEL2) == 24


def test_an_index_with_a_broken_file_is_made_anew(store, trained):
    sync(store, trained)
    folder = store.index("crjepa", trained.fingerprint)
    path = next(folder.glob("segments/*/same.vectors"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BrokenIndexError, match=r"same\.vectors has 100 bytes"):
        open_current(current_index(store, "crjepa"))
    told = []
    assert sync(store, trained, told.append).scenes_added == 16
    assert "is made anew" in told[0]
    assert open_current(current_index(store, "crjepa")).count(SENTINEL2) == 24


@pytest.mark.parametrize("file", ["segments/*/same.vectors", "segments/*/cross.lists", "coarse/*-sentinel1-same.faiss"])
def test_a_bit_that_flipped_is_found(store, trained, monkeypatch, file):
    monkeypatch.setattr(sensor_index, "EXACT_BELOW", 20)
    # So few patches train one list with the rest.
    monkeypatch.setattr(coarse, "_POINTS_A_CENTROID", 8)
    sync(store, trained)
    current = current_index(store, "crjepa")
    verify(current)
    path = next(current.folder.glob(file))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for look in (lambda: verify(current), lambda: compact(store, "crjepa")):
        with pytest.raises(BrokenIndexError, match=rf"{path.name} is not what was written; delete it"):
            look()


def test_after_a_compaction_the_record_of_the_index_holds_its_new_size(store, trained):
    sync(store, trained)
    folder = current_index(store, "crjepa").folder
    name = str(folder.relative_to(store.root))
    write_record(store, StageRecord("crjepa_index", "f", "v", {}, {}, {name: size_of(folder)}, {}, 1.0))
    before = size_of(folder)
    compact(store, "crjepa")
    assert size_of(folder) != before
    record = read_record(store, "crjepa_index")
    assert record is not None
    assert lost_output(store, record) is None


def test_another_model_s_index_is_built_beside_and_the_old_one_stays_until_it_is_removed(store, trained):
    sync(store, trained)
    old = current_index(store, "crjepa")
    other = "b" * 64
    shutil.copytree(store.descriptors("crjepa", old.model), store.descriptors("crjepa", other))
    with pytest.raises(DescriptorError, match="bbbbbbbbbbbb"):
        sync_index(store, "crjepa", other, old.model_folder, tuple(SENSORS))
    # What failed has switched nothing.
    assert current_index(store, "crjepa") == old
    shutil.rmtree(store.index("crjepa", other))
    reader = open_current(old)
    # As a model of the same descriptors: the fence is theirs, what is looked at here is the switch.
    made = {"fingerprint": other}
    copy = type(trained)(**{**vars(trained), **made})
    shutil.rmtree(store.descriptors("crjepa", other))
    describe_archive(store, copy)
    sync_index(store, "crjepa", other, old.model_folder, tuple(SENSORS))
    assert current_index(store, "crjepa").model == other
    assert open_index(old.folder).model == old.model
    assert old_indexes(store, "crjepa") == [old.folder]
    remove_index(old.folder)
    assert not old.folder.exists()
    # Opened before, it goes on.
    vector = reader.vector(reader.patch("S2A_MSIL2A_20170614T101031_4_0", SENTINEL2).patch_id, "same", SENTINEL2)
    assert len(reader.search(vector, old.model, "same", SENTINEL2, 5).patch_ids[0]) == 5
    assert old_indexes(store, "crjepa") == []


def test_without_an_index_none_is_older(tmp_path):
    with pytest.raises(NotMaterializedError, match="no crjepa index"):
        old_indexes(Store.at(tmp_path), "crjepa")
