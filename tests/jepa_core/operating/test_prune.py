import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from jepa_core import atomic
from jepa_core.cli import app
from jepa_core.descriptors import read_descriptors
from jepa_core.index.sync import current_index, open_current
from jepa_core.locks import held
from jepa_core.sensors import SENTINEL2

QUERY = "S2A_MSIL2A_20170614T101031_4_0"
OTHER = "b" * 64


def prune(*arguments):
    result = CliRunner().invoke(app, ["prune", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def hits(index):
    vector = index.vector(QUERY, "same", SENTINEL2)
    found = index.search(vector, index.model, "same", SENTINEL2, 24)
    return found.patch_ids, found.scores


def add_model(root, name, days_old):
    """An earlier model that nothing names."""
    folder = root.model("crjepa", name * 64)
    shutil.copytree(root.model("crjepa", "0" * 64), folder)
    atomic.write_json(folder / "model.json", {**atomic.read_json(folder / "model.json"), "fingerprint": name * 64})
    then = time.time() - 86_400 * days_old
    os.utime(folder / "model.json", (then, then))
    return folder


def old_index(root):
    folder = root.index("crjepa", OTHER)
    shutil.copytree(current_index(root, "crjepa").folder, folder)
    return folder


def old_descriptors(root):
    folder = root.descriptors("crjepa", OTHER)
    shutil.copytree(root.descriptors("crjepa", current_index(root, "crjepa").model), folder)
    return folder


def descriptors_of_a_scene_that_is_gone(root):
    folder = root.descriptors("crjepa", current_index(root, "crjepa").model) / "sentinel1"
    path = folder / "gone-0123456789ab.parquet"
    shutil.copyfile(next(folder.glob("*.parquet")), path)
    return path


def old_model(root):
    add_model(root, "d", 1)
    return add_model(root, "c", 2)


def half_a_model(root):
    folder = root.model("crjepa", "e" * 64)
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    return folder


def checkpoints_of_a_finished_training(root):
    path = root.training("crjepa", "0" * 64)
    (path / "step-00000001").mkdir(parents=True)
    (path / "step-00000001" / "state.safetensors").write_bytes(bytes(1000))
    return path


def cache_of_other_pairs(root):
    path = root.training_cache("a" * 64)
    path.mkdir(parents=True)
    (path / "sentinel1.npy").write_bytes(bytes(1000))
    return path


def what_a_killed_process_left(root):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = root.patches(SENTINEL2) / f".tmp-scene-{gone.pid}-01234567"
    path.mkdir()
    (path / "pixels").write_bytes(bytes(1000))
    return path


WASTE = [
    old_index,
    old_descriptors,
    descriptors_of_a_scene_that_is_gone,
    old_model,
    half_a_model,
    checkpoints_of_a_finished_training,
    cache_of_other_pairs,
    what_a_killed_process_left,
]


def bytes_of(path):
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


@pytest.mark.parametrize("make", WASTE, ids=lambda make: make.__name__)
def test_what_nothing_needs_goes_alone_and_searches_find_the_same(root, make):
    before = hits(open_current(current_index(root, "crjepa")))
    path = make(root)
    size = f"{bytes_of(path) / 1e6:,.1f} MB"
    planned, _ = prune("--dry-run")
    assert f"{path}: would free {size}: " in planned
    assert path.exists()
    files = set(root.root.rglob("*"))
    said, problems = prune()
    assert f"{path}: freed {size}: " in said
    assert f"1 things, {size} freed" in said
    assert problems == ""
    assert not path.exists()
    gone = {p for p in files if not p.exists()}
    assert all(p == path or path in p.parents for p in gone)
    assert hits(open_current(current_index(root, "crjepa"))) == before
    assert "0 things" in prune()[0]


def test_a_sound_root_has_nothing_to_prune(root):
    assert prune() == ("0 things, 0.0 MB freed\n", "")


def test_who_has_a_removed_index_open_goes_on_searching_it(root):
    folder = old_index(root)
    pointer = root.root / "indexes" / "crjepa" / "current.json"
    fields = atomic.read_json(pointer)
    atomic.write_json(pointer, {**fields, "folder": str(folder.relative_to(root.root))})
    reader = open_current(current_index(root, "crjepa"))
    before = hits(reader)
    atomic.write_json(pointer, fields)
    prune()
    assert not folder.exists()
    assert hits(reader) == before


def test_linked_shards_of_an_old_index_go_with_it(root, tmp_path):
    folder = old_index(root)
    elsewhere = tmp_path / "other-disk"
    elsewhere.mkdir()
    for name in ("index.json", "segments"):
        shutil.move(folder / name, elsewhere / name)
    (folder / "shard-0000").symlink_to(elsewhere)
    shards = {"scenes_per_shard": 100, "shards": [{"name": "shard-0000", "until": None}]}
    (folder / "shards.json").write_text(json.dumps(shards))
    held_there = bytes_of(elsewhere)
    said, _ = prune()
    assert not elsewhere.exists()
    assert float(said.split("freed ")[1].split(" MB")[0]) >= round(held_there / 1e6, 1)


@pytest.mark.parametrize(
    ("make", "lock"),
    [
        (old_index, "crjepa_indexes"),
        (old_descriptors, "crjepa_descriptors"),
        (old_model, "crjepa_model"),
        (cache_of_other_pairs, "mae_model"),
        (what_a_killed_process_left, "sentinel2_patches"),
    ],
)
def test_what_somebody_is_working_on_stays_and_who_it_is_is_said(root, make, lock):
    path = make(root)
    with held(root.locks / f"{lock}.lock", print):
        said, problems = prune()
    assert "0 things" in said
    assert f"{path}: left there: process " in problems
    assert f"is working on {lock}" in problems
    assert path.exists()
    prune()
    assert not path.exists()


def test_the_latest_earlier_model_stays_unless_all_are_to_go(root):
    latest, older = add_model(root, "d", 1), add_model(root, "c", 2)
    prune()
    assert (latest.exists(), older.exists()) == (True, False)
    prune("--all-models")
    assert not latest.exists()
    assert root.model("crjepa", "0" * 64).exists()


def test_a_model_that_a_report_is_of_stays(root):
    named, unnamed = add_model(root, "c", 2), add_model(root, "d", 1)
    (root.benchmark("crjepa")).mkdir(parents=True)
    atomic.write_json(root.benchmark("crjepa") / "report.json", {"model": {"models": ["c" * 64]}})
    prune("--all-models")
    assert (named.exists(), unnamed.exists()) == (True, False)
    # Where it cannot be known, no model goes.
    unnamed = add_model(root, "d", 1)
    (root.benchmark("crjepa") / "report.json").write_text("{")
    _, problems = prune("--all-models")
    assert "models: left there, for what is needed cannot be known" in problems
    assert unnamed.exists()


def test_the_model_and_descriptors_of_the_index_that_serves_stay_when_a_newer_model_was_trained(root, trained):
    newer = add_model(root, "d", 0)
    record = root.stage_records / "crjepa_model.json"
    atomic.write_json(record, {**atomic.read_json(record), "summary": {"folder": str(newer.relative_to(root.root))}})
    files = set(root.root.rglob("*"))
    assert "0 things" in prune("--all-models")[0]
    assert set(root.root.rglob("*")) - {root.locks} >= files - {root.locks}
    found = read_descriptors(root, "crjepa", trained.fingerprint, SENTINEL2).vectors["same"]
    assert np.isfinite(found).all()


def test_a_cache_that_a_training_under_way_reads_stays(root):
    cache = cache_of_other_pairs(root)
    job = root.training("crjepa", "f" * 64) / "job.json"
    atomic.write_json(job, {"cache": str(cache), "probe": None})
    assert "0 things" in prune()[0]
    assert cache.exists()


def test_downloads_go_when_they_are_asked_for(root):
    root.downloads.mkdir()
    (root.downloads / "some.whl").write_bytes(bytes(10))
    prune()
    assert (root.downloads / "some.whl").exists()
    assert "some.whl: freed" in prune("--downloads")[0]
