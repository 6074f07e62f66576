from datetime import UTC, datetime

import numpy as np
import pytest

from jepa_core import drift as module
from jepa_core.described_scenes import DescribedScene
from jepa_core.descriptors import write_scene_descriptors
from jepa_core.drift import SHARE, Drift, measure_drift, read_drift
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store

MODEL = "a" * 64


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Scenes of descriptors without an archive behind them; gives a function that adds one."""
    scenes = []

    def add(name, vectors):
        path = tmp_path / f"{name}.parquet"
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = [f"{name}_{i}" for i in range(len(vectors))]
        write_scene_descriptors(path, MODEL, SENTINEL2, ids, {"same": vectors.astype(np.float32)})
        time = datetime(2021, 1, 1, tzinfo=UTC)
        scenes.append(DescribedScene(name, name, time, len(vectors), tmp_path / "none", path, MODEL))

    monkeypatch.setattr(module, "described_scenes", lambda *_: list(scenes))
    add.store, add.scenes = Store.at(tmp_path / "data"), scenes
    return add


def measured(world):
    (found,) = measure_drift(world.store, "crjepa", MODEL, ["sentinel2"])
    assert read_drift(world.store, "crjepa", MODEL, ["sentinel2"]) == [found]
    return found


def like_training(rng, count=60):
    return rng.normal(size=(count, 6)) + np.array([4, 0, 0, 0, 0, 0])


def test_scenes_like_those_of_the_training_are_as_strange_as_these_are_to_each_other(world):
    rng = np.random.default_rng(0)
    for number in range(12):
        world(f"trained{number}", like_training(rng))
    assert measured(world).patches == 0
    for number in range(12):
        world(f"new{number}", like_training(rng))
    found = measured(world)
    assert (found.patches, found.scenes) == (720, 12)
    assert abs(found.share - SHARE) < 0.03
    assert not found.found


def test_scenes_of_another_kind_are_found_and_their_count_grows_scene_by_scene(world):
    rng = np.random.default_rng(1)
    for number in range(6):
        world(f"trained{number}", like_training(rng))
    measured(world)
    world("new0", like_training(rng) - np.array([8, 0, 0, 0, 0, 0]))
    first = measured(world)
    assert first.share > 0.9
    assert first.found
    assert measured(world) == first
    world("new1", like_training(rng))
    assert measured(world).patches == 120
    world.scenes.pop(-2)
    assert (measured(world).patches, measured(world).found) == (60, False)


def test_the_limit_leaves_each_patch_out_with_its_whole_scene(world):
    """Scenes that are tight bundles: a patch's nearest is in its own scene, and a new bundle is nothing strange."""
    rng = np.random.default_rng(2)
    for number in range(40):
        world(f"trained{number}", rng.normal(size=6) + 0.001 * rng.normal(size=(5, 6)))
    measured(world)
    for number in range(40):
        world(f"new{number}", rng.normal(size=6) + 0.001 * rng.normal(size=(5, 6)))
    assert measured(world).share < 4 * SHARE


def test_a_few_strange_patches_are_chance():
    assert not Drift("sentinel2", patches=3, strange=2, scenes=1).found
    assert not Drift("sentinel2", patches=0, strange=0, scenes=0).found
    assert Drift("sentinel2", patches=300, strange=200, scenes=1).found


def test_one_training_scene_alone_says_nothing(world):
    rng = np.random.default_rng(3)
    world("trained", like_training(rng))
    measured(world)
    world("new", -like_training(rng))
    assert measured(world).patches == 0
