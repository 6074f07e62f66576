import os
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from jepa_core import atomic
from jepa_core.errors import UnknownNameError
from jepa_core.index import BrokenIndexError, Filter
from jepa_core.index.shards import Shard, cut, home_of, open_searchable, read_shards, scenes_a_shard
from jepa_core.index.sync import current_index, open_current, sync_index, verify
from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.sensors import SENSORS, SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.tables import SCENES, write_table

DAY = [datetime(2023, 6, day, tzinfo=UTC) for day in range(1, 11)]
WHOLE = [Shard(".", None)]


def sync(store, trained, scenes_per_shard=None):
    model = next((store.root / "models" / "crjepa").iterdir())
    return sync_index(store, "crjepa", trained.fingerprint, model, tuple(SENSORS), scenes_per_shard)


@pytest.fixture
def store(cut_store, described, tmp_path):
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    for sensor in (SENTINEL1, SENTINEL2):
        # A scene of each sensor a day; as they are made, all are of one.
        manifest = read_manifest(store, sensor).sort_values("scene_id", ignore_index=True)
        manifest["time"] = pd.Series(DAY[: len(manifest)]).astype(manifest["time"].dtype)
        write_table(manifest, SCENES, store.patches(sensor) / "manifest.parquet")
    return store


def test_ranges_are_closed_when_they_are_full_and_then_stay():
    assert cut(WHOLE, DAY[:3], 3) == WHOLE
    two = cut(WHOLE, DAY[:4], 3)
    assert [shard.name for shard in two] == ["shard-0000", "shard-0001"]
    assert [home_of(two, day).name[-1] for day in DAY[:6]] == list("000111")
    assert cut(two, DAY[:6], 3) == two
    # Scenes that come late go to the range of their time, however full it is.
    assert cut(two, [*DAY[:6], *(DAY[0] + timedelta(hours=i) for i in range(5))], 3) == two
    three = cut(two, DAY[:7], 3)
    assert three[0] == two[0]
    assert [home_of(three, day).name[-1] for day in DAY] == list("0001112222")


def test_scenes_of_one_moment_stay_together():
    assert cut(WHOLE, [DAY[0]] * 5, 2) == WHOLE
    shards = cut(WHOLE, [DAY[0]] * 5 + [DAY[1]], 2)
    assert [home_of(shards, day).name[-1] for day in DAY[:2]] == ["0", "1"]


def test_shards_find_what_one_index_finds(store, trained, described):
    sync(store, trained)
    whole = open_current(current_index(store, "crjepa"))
    done = sync(store, trained, 5)
    assert (done.scenes_added, done.patches) == (16, 48)
    current = current_index(store, "crjepa")
    verify(current)
    assert len(read_shards(current.folder)) >= 3
    assert not (current.folder / "index.json").exists()
    shards = open_current(current)
    assert shards.model == whole.model
    patches = read_patches(store, SENTINEL2)
    cell = patches.iloc[4]
    where = Filter(labels=("Pastures", "Water bodies"), start=DAY[0].replace(year=2017, day=14))
    for sensor in (SENTINEL1, SENTINEL2):
        assert shards.count(sensor) == whole.count(sensor) == 24
        for purpose in ("same", "cross"):
            queries = described[sensor.name].vectors[purpose][:6]
            for options in ({}, {"where": where}, {"one_per_cell": True}, {"without": [str(cell["patch_id"])]}):
                a, b = (i.search(queries, whole.model, purpose, SENTINEL2, 9, **options) for i in (whole, shards))
                np.testing.assert_allclose(a.scores, b.scores, atol=1e-6)
                assert a.patch_ids == b.patch_ids
    for name in patches["patch_id"]:
        assert shards.patch(name, SENTINEL2) == whole.patch(name, SENTINEL2)
    np.testing.assert_array_equal(*(i.vector(cell["patch_id"], "same", SENTINEL2) for i in (whole, shards)))
    assert [p.patch_id for p in shards.covering(cell["lon"], cell["lat"], SENTINEL2)] == [cell["patch_id"]]
    with pytest.raises(UnknownNameError, match="no sentinel1 patch 'x'"):
        shards.vector("x", "same", SENTINEL1)


def test_a_change_touches_the_shard_of_its_time_alone(store, trained):
    sync(store, trained, 5)
    folder = current_index(store, "crjepa").folder
    before = {shard.name: (folder / shard.name / "index.json").stat().st_mtime_ns for shard in read_shards(folder)}
    manifest = read_manifest(store, SENTINEL2).sort_values("time", ignore_index=True)
    manifest.loc[0, "holds"] = "0" * 64
    write_table(manifest, SCENES, store.patches(SENTINEL2) / "manifest.parquet")
    done = sync(store, trained)
    assert (done.scenes_added, done.scenes_replaced, done.scenes_withdrawn) == (0, 1, 0)
    after = {name: (folder / name / "index.json").stat().st_mtime_ns for name in before}
    assert [name for name in before if before[name] != after[name]] == ["shard-0000"]


def test_the_number_of_scenes_a_shard_is_remembered(store, trained):
    sync(store, trained, 100)
    folder = current_index(store, "crjepa").folder
    assert read_shards(folder) == WHOLE
    assert open_current(current_index(store, "crjepa")).count(SENTINEL2) == 24
    sync(store, trained)
    assert scenes_a_shard(folder) == 100
    sync(store, trained, 12)
    assert len(read_shards(folder)) == 2
    sync(store, trained)
    assert (scenes_a_shard(folder), len(read_shards(folder))) == (12, 2)


def test_shards_of_several_models_are_not_searched(store, trained):
    sync(store, trained, 5)
    folder = current_index(store, "crjepa").folder
    path = folder / "shard-0001" / "index.json"
    atomic.write_json(path, {**atomic.read_json(path), "model": "f" * 64})
    with pytest.raises(BrokenIndexError, match=r"are of the models .*ffffffffffff"):
        open_searchable(folder)
    (folder / "shard-0000" / "index.json").unlink()
    with pytest.raises(BrokenIndexError, match=r"no index at .*shard-0000"):
        open_searchable(folder)


@pytest.mark.parametrize("stop", [2, 15])
def test_cutting_an_index_that_is_stopped_on_the_way_is_completed_by_a_rerun(store, trained, monkeypatch, stop):
    class StopError(BaseException):
        pass

    sync(store, trained)
    renamed, left = os.replace, stop

    def replace(source, target, **options):
        nonlocal left
        left -= 1
        if left < 0:
            raise StopError
        return renamed(source, target, **options)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StopError):
        sync(store, trained, 5)
    monkeypatch.setattr(os, "replace", renamed)
    # Until all shards are whole the one index is searched; it is found whatever lies beside it.
    assert open_current(current_index(store, "crjepa")).count(SENTINEL2) == 24
    sync(store, trained, 5)
    current = current_index(store, "crjepa")
    verify(current)
    assert len(read_shards(current.folder)) >= 3
    assert open_current(current).count(SENTINEL2) == open_current(current).count(SENTINEL1) == 24
