import shutil
from dataclasses import replace

import pytest
import torch

from jepa_core.errors import NotMaterializedError, UnknownNameError
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.tables import PAIRS, read_table
from jepa_core.training.batches import batch_at, dihedral, steps_per_epoch
from jepa_core.training.cache import build_cache, open_cache
from jepa_core.training.checkpoint import latest_step
from jepa_core.training.config import TrainingConfig
from jepa_core.training.loop import TrainingError, train
from jepa_core.training.pretrain import pretrain
from jepa_core.variants import registry
from jepa_core.variants.crjepa import CRJEPAConfig

CONFIG = TrainingConfig(
    epochs=4,
    batch_size=4,
    warmup_epochs=1,
    peak_learning_rate=1e-3,
    checkpoint_seconds=0.0,
    monitor_steps=3,
)
SMALL = CRJEPAConfig(
    input_size=30,
    patch_size=10,
    width=32,
    depth=1,
    heads=2,
    predictor_depth=1,
    head_hidden=(),
    dimension=8,
    sigreg_slices=8,
)


@pytest.fixture(scope="module")
def cache(cut_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache") / "cache"
    pairs = read_table(cut_store.pairs, PAIRS)
    build_cache(cut_store, folder, pairs[pairs["split"] == "train"], (SENTINEL1, SENTINEL2))
    return open_cache(folder)


def fresh():
    return registry.build("crjepa", SMALL, {"sentinel1": 2, "sentinel2": 12}, seed=0)


class KilledError(Exception):
    pass


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("killed_at", [1, 3, 5, 8])
def test_a_killed_run_goes_on_to_the_very_same_weights(cache, tmp_path, killed_at):
    whole = fresh()
    history = train(whole, cache, CONFIG, 0, tmp_path / "whole")
    assert len(history) == 8

    def kill(row):
        if row["step"] == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        train(fresh(), cache, CONFIG, 0, tmp_path / "killed", kill)
    # The step at which it was killed was not saved.
    assert latest_step(tmp_path / "killed") == killed_at - 1
    seen = []
    resumed = fresh()
    again = train(resumed, cache, CONFIG, 0, tmp_path / "killed", seen.append)
    for name, value in weights(whole).items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    without_times = [{k: v for k, v in row.items() if k != "seconds"} for row in again]
    assert without_times == [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    assert [row["step"] for row in seen] == list(range(1, 9))


def test_the_last_two_checkpoints_are_kept(cache, tmp_path):
    train(fresh(), cache, CONFIG, 0, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000007", "step-00000008"]


def test_a_half_written_checkpoint_is_not_taken_for_one(cache, tmp_path):
    (tmp_path / ".tmp-step-00000099-1-abcdef").mkdir(parents=True)
    assert latest_step(tmp_path) == 0
    train(fresh(), cache, CONFIG, 0, tmp_path)
    assert latest_step(tmp_path) == 8


def test_a_checkpoint_whose_removal_was_cut_short_is_not_taken_for_one(cache, tmp_path):
    train(fresh(), cache, CONFIG, 0, tmp_path)
    (tmp_path / "step-00000008" / "state.safetensors").unlink()
    assert latest_step(tmp_path) == 7


def test_another_seed_gives_other_weights(cache, tmp_path):
    a, b = fresh(), fresh()
    train(a, cache, CONFIG, 0, tmp_path / "a")
    train(b, cache, CONFIG, 1, tmp_path / "b")
    assert any(not torch.equal(v, b.state_dict()[k]) for k, v in weights(a).items())


def test_monitors_are_logged_every_so_many_steps_and_last(cache, tmp_path):
    history = train(fresh(), cache, CONFIG, 0, tmp_path)
    watched = [int(row["step"]) for row in history if "effective_rank_cross_sentinel1" in row]
    assert watched == [3, 6, 8]


def test_a_loss_that_is_no_number_stops_with_the_last_good_state(cache, tmp_path):
    model = fresh()
    calls = []

    def poison(row):
        calls.append(row)
        if row["step"] == 3:
            with torch.no_grad():
                model.trunk.norm.weight.fill_(float("nan"))

    with pytest.raises(TrainingError, match=r"the loss is nan .* at step 4; the last good state, of step 3"):
        train(model, cache, CONFIG, 0, tmp_path, poison)
    assert len(calls) == 3
    assert latest_step(tmp_path) == 3


def test_every_pair_is_seen_once_an_epoch_and_both_sensors_turn_together(cache):
    assert steps_per_epoch(len(cache), 4) == 2
    plain = open_marked(cache)
    for epoch in range(3):
        rows = []
        for position in range(2):
            batch = batch_at(plain, 2 * epoch + position, 4, seed=0)
            for a, b in zip(batch["sentinel1"], batch["sentinel2"], strict=True):
                # Each image holds its row in one corner: found in the same corner in both sensors.
                corner = a[0].argmax()
                assert corner == b[0].argmax()
                rows.append((a[0].max().item(), b[0].max().item()))
        assert len(set(rows)) == 8


def open_marked(cache):
    """The cache's shape, with the row's number in one corner of each image and no spread to normalise away."""
    import numpy as np

    from jepa_core.sensors import SENSORS
    from jepa_core.statistics import BandStatistics

    pixels, statistics = {}, {}
    for name, array in cache.pixels.items():
        marked = np.ones_like(array)
        marked[:, :, 0, 5] = np.arange(10, 10 + len(array), dtype=array.dtype)[:, None]
        pixels[name] = marked
        sensor = SENSORS[name]
        statistics[name] = {b.name: BandStatistics(0.0, 1.0, b.unit) for b in sensor.bands}
    return replace(cache, pixels=pixels, statistics=statistics)


def test_the_eight_symmetries_are_eight_and_keep_every_pixel():
    import numpy as np

    image = np.arange(18).reshape(2, 3, 3)
    turned = [dihedral(image, k) for k in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    assert np.array_equal(turned[0], image)
    for t in turned:
        assert sorted(t[0].ravel()) == list(range(9))


def test_a_finished_model_is_taken_as_it_is_and_a_changed_one_trained_again(cut_store, pairs, trained, tmp_path):
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    arguments = {
        "size": "tiny",
        "seed": 0,
        "epochs": 1,
        "pairs": pairs,
        "sensors": (SENTINEL1, SENTINEL2),
        "stage_fingerprint": "0" * 64,
        "pairs_version": "0" * 64,
    }
    weights = next(store.root.glob("models/crjepa/*/weights.safetensors"))
    written = weights.stat().st_mtime_ns
    steps = []
    again = pretrain(store, "crjepa", on_step=steps.append, **arguments)
    assert weights.stat().st_mtime_ns == written
    assert steps == again.history
    assert again.fingerprint == trained.fingerprint
    assert [row["step"] for row in again.history] == [1.0]
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert pretrain(store, "crjepa", **arguments).fingerprint == trained.fingerprint
    assert weights.stat().st_mtime_ns != written


def test_pretraining_without_training_pairs_or_with_an_unknown_size_is_a_plain_error(cut_store):
    pairs = read_table(cut_store.pairs, PAIRS)
    arguments = {
        "seed": 0,
        "epochs": 1,
        "sensors": (SENTINEL1, SENTINEL2),
        "stage_fingerprint": "f" * 12,
        "pairs_version": "none",
    }
    with pytest.raises(NotMaterializedError, match="no training pairs"):
        pretrain(cut_store, "crjepa", "tiny", pairs=pairs[pairs["split"] == "test"], **arguments)
    with pytest.raises(UnknownNameError, match="no size 'huge'; it has tiny, paper"):
        pretrain(cut_store, "crjepa", "huge", pairs=pairs, **arguments)
    with pytest.raises(UnknownNameError, match="no variant 'bert'; there are crjepa"):
        pretrain(cut_store, "bert", "tiny", pairs=pairs, **arguments)
