"""Pretraining as a stage calls it: choices, finished models, several processes."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from jepa_core.archive.discover import Archive
from jepa_core.atomic import read_json
from jepa_core.cutting import CutConfig
from jepa_core.datasets.stored_pairs import stored_pairs
from jepa_core.describing.archive import describe_archive
from jepa_core.errors import NotMaterializedError, UnknownNameError
from jepa_core.extraction import extract
from jepa_core.model import ModelError, load_model
from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.tables import PAIRS, read_table, write_table
from jepa_core.training.pretrain import Choice, pretrain
from jepa_core.training.probe import build_probe, open_probe
from jepa_core.training.watch import TrainingError
from jepa_core.variants.registry import ConfigError

SENSORS = (SENTINEL1, SENTINEL2)
RUN = {"stage_fingerprint": "f" * 64}
SMALL = {"width": 32, "depth": 1, "heads": 2, "predictor_depth": 1, "head_hidden": [16], "dimension": 8}


@pytest.fixture
def store(cut_store, tmp_path):
    """A copy of the data root, to be trained in."""
    return Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))


@pytest.fixture
def data(store, pairs):
    return stored_pairs(store, pairs, SENSORS, "0" * 64)


def test_a_finished_model_is_taken_as_it_is_and_a_changed_one_trained_again(store, data, trained):
    arguments = RUN | {"data": data, "stage_fingerprint": "0" * 64}
    weights = next(store.root.glob("models/crjepa/*/weights.safetensors"))
    written = weights.stat().st_mtime_ns
    steps = []
    again = pretrain(store, Choice("crjepa", epochs=1), on_step=steps.append, **arguments)
    assert weights.stat().st_mtime_ns == written
    assert steps == again.history
    assert again.fingerprint == trained.fingerprint
    assert [row["step"] for row in again.history] == [1.0]
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert pretrain(store, Choice("crjepa", epochs=1), **arguments).fingerprint == trained.fingerprint
    assert weights.stat().st_mtime_ns != written


def test_what_cannot_be_trained_is_a_plain_error(store, data, pairs):
    with pytest.raises(NotMaterializedError, match="no training pairs"):
        none = stored_pairs(store, pairs[pairs["split"] == "test"], SENSORS, "1" * 64)
        pretrain(store, Choice("crjepa", epochs=1), none, **RUN)
    with pytest.raises(UnknownNameError, match="no size 'huge'; it has tiny, small, paper"):
        pretrain(store, Choice("crjepa", "huge"), data, **RUN)
    with pytest.raises(UnknownNameError, match="no variant 'bert'; there are ijepa, mae, rejepa, xjepa, crjepa"):
        pretrain(store, Choice("bert"), data, **RUN)


def test_fields_of_config_and_recipe_can_be_chosen_and_are_checked():
    config, recipe = Choice(
        "crjepa", model={"single_head": True, "routes": ["aa", "ab"]}, recipe={"batch_size": 8}, epochs=30
    ).settled()
    assert config.single_head
    assert config.routes == ("aa", "ab")
    assert (recipe.batch_size, recipe.epochs, recipe.warmup_epochs) == (8, 30, 3)
    assert config.width == 128
    with pytest.raises(UnknownNameError, match="the config of xjepa has no field 'heads_count'; it has input_size"):
        Choice("xjepa", model={"heads_count": 3}).settled()
    with pytest.raises(ConfigError, match="the config of xjepa: psa_matrix cannot be 'free'"):
        Choice("xjepa", model={"psa_matrix": "free"}).settled()
    with pytest.raises(ConfigError, match="the recipe: batch_size cannot be 'many'"):
        Choice("xjepa", recipe={"batch_size": "many"}).settled()


def test_a_batch_of_one_pair_is_a_plain_error(store, data):
    with pytest.raises(TrainingError, match="a batch of 1 pair has nothing to compare; there are 8 training pairs"):
        pretrain(store, Choice("crjepa", model=SMALL, recipe={"batch_size": 1}), data, **RUN)


def test_a_model_of_fewer_bands_trains_describes_and_refuses_others(synthetic_archive, tmp_path):
    store = Store.at(tmp_path)
    kept = (SENTINEL1.with_bands(["VV"]), SENTINEL2.with_bands(["B02", "B8A", "B04"]))
    for sensor in kept:
        extract(store, Archive(synthetic_archive).sources(sensor), sensor, CutConfig())
    a, b = (read_patches(store, sensor) for sensor in kept)
    write_table(pair_patches(a, b, PairingConfig()), PAIRS, store.pairs)
    found = read_table(store.pairs, PAIRS)
    done = pretrain(store, Choice("crjepa", epochs=1, model=SMALL), stored_pairs(store, found, kept, ""), **RUN)
    model = load_model(done.folder)
    assert model.sensors["sentinel2"].band_names == ("B02", "B04", "B8A")
    assert list(model.statistics["sentinel1"]) == ["VV"]
    assert describe_archive(store, model).patches == 48
    with pytest.raises(ModelError, match="was trained on sentinel2 bands B02, B04, B8A, not B01, "):
        model.describe(np.ones((1, 12, 120, 120), "uint16"), SENTINEL2)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"recipe": {"batch_size": 0}}, "batch_size cannot be 0"),
        ({"recipe": {"micro_batch": -1}}, "micro_batch cannot be -1"),
        ({"recipe": {"monitor_steps": 0}}, "monitor_steps cannot be 0"),
        ({"recipe": {"momentum": 5}}, "momentum cannot be 5"),
        ({"recipe": {"warmup_epochs": 300}}, "a warm-up of 300 epochs leaves nothing of 300"),
        ({"recipe": {"epochs": 10}}, "epochs is a setting of its own"),
        ({"epochs": 0}, "cannot train for 0 epochs"),
        ({"processes": 0}, "cannot train in 0 processes"),
        ({"model": {"mask_ratio": 1.5}}, "mask_ratio cannot be 1.5"),
        ({"model": {"temperature": 0}}, "temperature cannot be 0"),
        ({"model": {"sigreg_knots": 1}}, "sigreg_knots cannot be 1"),
        ({"model": {"weight_cross": -1}}, "weight_cross cannot be -1"),
        ({"model": {"heads": 0}}, "heads cannot be 0"),
    ],
)
def test_numbers_out_of_range_are_a_plain_error(choice, reason):
    with pytest.raises(ConfigError, match=reason):
        Choice("crjepa", **choice).settled()


@pytest.mark.parametrize(
    ("variant", "model", "reason"),
    [
        ("crjepa", {"width": 100, "heads": 3}, "crjepa cannot be built like that"),
        ("crjepa", {"routes": ["aa", "ac"]}, "routes are aa, bb, ab, ba, not aa, ac"),
        ("ijepa", {"target_blocks": 9}, "9 blocks of 0.2 of the image each may leave no context"),
    ],
)
def test_settings_that_do_not_go_together_are_a_plain_error_before_anything_runs(store, data, variant, model, reason):
    with pytest.raises(ConfigError, match=reason):
        pretrain(store, Choice(variant, model=model), data, **RUN)
    assert not (store.root / "training").exists() or not any((store.root / "training").iterdir())


@pytest.fixture(scope="module")
def shared(cut_store, pairs, tmp_path_factory):
    """One run in one process and the same in two, by `torchrun`."""
    done = {}
    for processes in (1, 2):
        store = Store.at(shutil.copytree(cut_store.root, tmp_path_factory.mktemp("run") / "data"))
        rows = []
        # Batch norms have the statistics of each process's images: without them two processes are as one.
        choice = Choice(
            "crjepa",
            epochs=2,
            processes=processes,
            model=SMALL | {"stem": "linear"},
            recipe={"mixed_precision": False},
        )
        done[processes] = (
            store,
            pretrain(store, choice, stored_pairs(store, pairs, SENSORS, "0" * 64), on_step=rows.append, **RUN),
            rows,
        )
    return done


@pytest.mark.slow
def test_two_processes_train_as_one_does_and_report_as_they_go(shared):
    (_, one, _), (store, two, rows) = shared[1], shared[2]
    assert len(rows) == len(two.history) == len(one.history) == 2
    for a, b in zip(one.history, two.history, strict=True):
        for name in ("loss", "gradient_norm", "sigreg", "uni_infonce"):
            assert a[name] == pytest.approx(b[name], rel=1e-3), name
    # What the processes left behind is cleared away.
    assert not any((store.root / "training").iterdir())
    assert load_model(two.folder).fingerprint == two.fingerprint
    about = read_json(two.folder / "model.json")["about"]
    assert (about["processes"], about["pairs"]) == (2, 8)


@pytest.mark.slow
def test_a_stopped_run_can_be_finished_by_torchrun_and_its_model_is_taken(store, data):
    choice = Choice("crjepa", epochs=2, model=SMALL, recipe={"checkpoint_seconds": 0.0})
    arguments = RUN | {"data": data, "stage_fingerprint": "e" * 64}

    def stop(row):
        if row["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(store, choice, on_step=stop, **arguments)
    (job_file,) = (store.root / "training").glob("*/job.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*command, "-m", "jepa_core.training.job", str(job_file)], check=True)
    (weights,) = (store.root / "models").glob("crjepa/eeee*/weights.safetensors")
    written = weights.stat().st_mtime_ns
    taken = pretrain(store, choice, **arguments)
    assert weights.stat().st_mtime_ns == written
    assert [row["step"] for row in taken.history] == [1.0, 2.0]
    assert not any((store.root / "training").iterdir())


@pytest.mark.slow
def test_the_last_step_holds_a_search_among_labelled_validation_pairs(shared):
    last = shared[1][1].history[-1]
    directions = {f"probe_f1_{a}_to_{b}" for a in ("s1", "s2") for b in ("s1", "s2")}
    assert directions <= set(last)
    assert all(0 <= last[name] <= 1 for name in directions)
    assert last["probe_chance"] == pytest.approx(shared[2][1].history[-1]["probe_chance"])


@pytest.mark.slow
def test_the_error_of_a_process_is_the_error_of_the_run(store, data):
    choice = Choice("crjepa", epochs=2, processes=2, model=SMALL, recipe={"least_spread": 10.0, "patience": 1})
    with pytest.raises(TrainingError, match="collapsed: at step 2"):
        pretrain(store, choice, data, **RUN)


def test_there_is_no_probe_where_too_few_validation_pairs_are_labelled(cut_store, pairs, tmp_path):
    assert build_probe(tmp_path / "probe", stored_pairs(cut_store, pairs, SENSORS, ""))
    assert len(open_probe(tmp_path / "probe").labels) == 8
    training = stored_pairs(cut_store, pairs[pairs["split"] == "train"], SENSORS, "")
    assert not build_probe(tmp_path / "none", training)
    assert not (tmp_path / "none").exists()
