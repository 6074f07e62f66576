import shutil
import threading
import time
from dataclasses import replace
from multiprocessing import popen_spawn_posix

import numpy as np
import psutil
import pytest

from jepa_core.archive.scene import ArchiveError
from jepa_core.describing import scenes as describing_scenes
from jepa_core.describing.archive import describe_archive
from jepa_core.describing.scenes import Share, UndescribedScene
from jepa_core.descriptors import descriptor_files, read_descriptors
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.vectors import DescriptorError


@pytest.fixture
def undescribed(cut_store, tmp_path):
    """A copy of the data root without descriptors."""
    ignored = shutil.ignore_patterns("descriptors", "models", "cache")
    return Store.at(shutil.copytree(cut_store.root, tmp_path / "data", ignore=ignored))


def written(store, model):
    return [path for path in descriptor_files(store, model) if path.exists()]


def assert_alike(store, model, described):
    for sensor in (SENTINEL1, SENTINEL2):
        found = read_descriptors(store, "crjepa", model.fingerprint, sensor)
        assert found.patch_ids.tolist() == described[sensor.name].patch_ids.tolist()
        for kind, vectors in described[sensor.name].vectors.items():
            np.testing.assert_allclose(found.vectors[kind], vectors, atol=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_scenes_that_are_cut_by_batches_come_out_as_in_whole_ones(undescribed, trained, described, monkeypatch, batch):
    monkeypatch.setattr(describing_scenes, "_BATCH", batch)
    assert describe_archive(undescribed, trained).scenes_new == 16
    assert_alike(undescribed, trained, described)


def test_batches_run_across_scenes(undescribed, trained):
    sizes = []
    hook = trained.variant.trunks["all"].register_forward_hook(lambda *io: sizes.append(len(io[2])))
    describe_archive(undescribed, trained)
    hook.remove()
    # 24 patches of eight scenes a sensor.
    assert sizes == [24, 24]


def test_a_scene_that_cannot_be_read_is_named_and_those_before_it_stay(undescribed, trained, monkeypatch):
    monkeypatch.setattr(describing_scenes, "_BATCH", 3)
    folder = undescribed.patches(SENTINEL1) / read_manifest(undescribed, SENTINEL1)["folder"].iloc[5]
    shutil.rmtree(folder / "pixels.zarr")
    with pytest.raises(ArchiveError, match=rf"{folder.name}/pixels.zarr is not readable"):
        describe_archive(undescribed, trained)
    assert len(written(undescribed, trained)) == 5
    assert not list(undescribed.root.glob("**/.tmp-*"))


def test_a_scene_of_another_number_of_patches_than_the_manifest_s_is_refused(undescribed, trained):
    folder = undescribed.patches(SENTINEL1) / read_manifest(undescribed, SENTINEL1)["folder"].iloc[0]
    scene = UndescribedScene(folder, 4, undescribed.root / "x.parquet")
    with pytest.raises(ArchiveError, match="holds 3 patches, the manifest says 4"):
        list(describing_scenes.describe_shares(trained, [Share(SENTINEL1, [scene])]))


def test_shares_are_cut_between_scenes():
    scenes = [UndescribedScene(None, count, None) for count in (2, 3, 1, 9, 1)]
    parts = list(Share(SENTINEL1, scenes).parts(4))
    assert [[scene.patches for scene in part.scenes] for part in parts] == [[2, 3], [1, 9], [1]]


@pytest.mark.slow
def test_two_processes_describe_as_one_does(undescribed, trained, described):
    assert describe_archive(undescribed, trained, processes=2).scenes_new == 16
    assert_alike(undescribed, trained, described)


def test_a_model_in_memory_is_not_given_to_processes(undescribed, trained):
    with pytest.raises(DescriptorError, match="in memory only"):
        describe_archive(undescribed, replace(trained, folder=None), processes=2)


KILLED = r"was killed. What was finished stays: run again"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 2])
def test_a_killed_process_is_said_in_plain_words_and_a_second_run_ends_the_work(
    undescribed, trained, described, seconds
):
    def kill_one():
        while True:
            for child in psutil.Process().children():
                if "spawn_main" in " ".join(child.cmdline()):
                    time.sleep(seconds)
                    child.kill()
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    with pytest.raises(DescriptorError, match=KILLED):
        describe_archive(undescribed, trained, 2)
    killer.join()
    describe_archive(undescribed, trained)
    assert_alike(undescribed, trained, described)


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_process_killed_while_another_is_started_keeps_nothing_waiting(undescribed, trained, monkeypatch):
    launch, started = popen_spawn_posix.Popen._launch, []

    def kill_the_first(popen, process):
        launch(popen, process)
        started.append(popen.pid)
        if len(started) == 2:
            psutil.Process(started[0]).kill()
            time.sleep(1)

    monkeypatch.setattr(popen_spawn_posix.Popen, "_launch", kill_the_first)
    with pytest.raises(DescriptorError, match=KILLED):
        describe_archive(undescribed, trained, 2)
    assert len(started) == 2
