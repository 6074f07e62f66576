import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jepa_core.datasets.stored_pairs import stored_pairs
from jepa_core.errors import JepaError
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.tables import PAIRS, read_table
from jepa_core.training.batches import batch_at, dihedral, steps_per_epoch
from jepa_core.training.cache import build_cache, open_cache
from jepa_core.training.checkpoint import latest_step
from jepa_core.training.config import TrainingConfig
from jepa_core.training.loop import train
from jepa_core.training.watch import TrainingError
from jepa_core.variants import registry
from jepa_core.variants.crjepa import CRJEPAConfig
from jepa_core.variants.rejepa import REJEPAConfig
from tests.jepa_core.variants.small import BANDS, CONFIGS, built

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
    data = stored_pairs(cut_store, pairs, (SENTINEL1, SENTINEL2), "0" * 64)
    build_cache(folder, data, data.rows("train"))
    return open_cache(folder)


FOLLOWING = REJEPAConfig(
    input_size=30, patch_size=10, width=32, depth=1, heads=2, predictor_width=16, predictor_depth=1
)
TIMES = {"seconds", "seconds_waiting_for_data", "images_per_second"}


def fresh(variant="crjepa"):
    if variant == "xjepa":
        # The one with a figure that follows over many steps besides its target encoders.
        return built("xjepa", psa_matrix="covariance")
    return registry.build(variant, {**CONFIGS, "crjepa": SMALL, "rejepa": FOLLOWING}[variant], BANDS, seed=0)


def without_times(history):
    return [{k: v for k, v in row.items() if k not in TIMES} for row in history]


class KilledError(Exception):
    pass


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize(
    ("variant", "killed_at"),
    [("crjepa", 1), ("crjepa", 3), ("rejepa", 5), ("crjepa", 8), ("ijepa", 6), ("mae", 4), ("xjepa", 7)],
)
def test_a_killed_run_goes_on_to_the_very_same_weights(cache, tmp_path, variant, killed_at):
    whole = fresh(variant)
    history = train(whole, cache, CONFIG, 0, tmp_path / "whole")
    assert len(history) == 8

    def kill(row):
        if row["step"] == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        train(fresh(variant), cache, CONFIG, 0, tmp_path / "killed", kill)
    # The step at which it was killed was not saved.
    assert latest_step(tmp_path / "killed") == killed_at - 1
    seen = []
    resumed = fresh(variant)
    again = train(resumed, cache, CONFIG, 0, tmp_path / "killed", seen.append)
    for name, value in weights(whole).items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert without_times(again) == without_times(history)
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


@pytest.mark.parametrize("file", ["state.safetensors", "history.json"])
def test_a_damaged_checkpoint_is_named_and_without_it_the_one_before_goes_on_to_the_same_weights(cache, tmp_path, file):
    whole = fresh()
    train(whole, cache, CONFIG, 0, tmp_path)
    damaged = tmp_path / "step-00000008" / file
    damaged.write_bytes(damaged.read_bytes()[:50])
    with pytest.raises(JepaError, match=r"step-00000008 is damaged .* goes on from the one before it"):
        train(fresh(), cache, CONFIG, 0, tmp_path)
    shutil.rmtree(damaged.parent)
    again = fresh()
    train(again, cache, CONFIG, 0, tmp_path)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in weights(whole).items())


def test_a_cache_that_was_cut_short_is_named(cache, tmp_path):
    for name, pixels in cache.pixels.items():
        np.save(tmp_path / f"{name}.npy", pixels)
    shutil.copy(Path(cache.pixels["sentinel1"].filename).parent / "cache.json", tmp_path)
    path = tmp_path / "sentinel1.npy"
    assert np.array_equal(open_cache(tmp_path).pixels["sentinel1"], cache.pixels["sentinel1"])
    for left in (1000, 0):
        path.write_bytes(path.read_bytes()[:left])
        with pytest.raises(JepaError, match=r"sentinel1\.npy is damaged .* Delete the folder"):
            open_cache(tmp_path)


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
                model.trunks["all"].norm.weight.fill_(float("nan"))

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
            batch = batch_at(plain, 2 * epoch + position, 4, seed=0, paired=True, share=slice(0, 4))
            for a, b in zip(batch["sentinel1"], batch["sentinel2"], strict=True):
                # Each image holds its row in one corner: found in the same corner in both sensors.
                corner = a[0].argmax()
                assert corner == b[0].argmax()
                rows.append((a[0].max().item(), b[0].max().item()))
        assert len(set(rows)) == 8


def open_marked(cache):
    """The cache's shape, with the row's number in one corner of each image and no spread to normalise away."""
    import numpy as np

    from jepa_core.statistics import BandStatistics

    pixels, statistics = {}, {}
    for name, array in cache.pixels.items():
        marked = np.ones_like(array)
        marked[:, :, 0, 5] = np.arange(10, 10 + len(array), dtype=array.dtype)[:, None]
        pixels[name] = marked
        statistics[name] = {b.name: BandStatistics(0.0, 1.0, b.unit) for b in cache.sensors[name].bands}
    return replace(cache, pixels=pixels, statistics=statistics)


def test_the_eight_symmetries_are_eight_and_keep_every_pixel():
    import numpy as np

    image = np.arange(18).reshape(2, 3, 3)
    turned = [dihedral(image, k) for k in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    assert np.array_equal(turned[0], image)
    for t in turned:
        assert sorted(t[0].ravel()) == list(range(9))


def test_unpaired_each_sensor_has_an_order_and_turns_of_its_own_and_a_share_is_part_of_the_whole(cache):
    plain = open_marked(cache)

    def rows_and_corners(paired, share):
        batch = batch_at(plain, 0, 8, 0, paired, share)
        return {name: [(i[0].max().item(), i[0].argmax().item()) for i in images] for name, images in batch.items()}

    together, apart = (rows_and_corners(paired, slice(0, 8)) for paired in (True, False))
    assert together["sentinel1"] == together["sentinel2"]
    assert apart["sentinel1"] == together["sentinel1"]
    assert [c for _, c in apart["sentinel2"]] != [c for _, c in apart["sentinel1"]]
    part = rows_and_corners(True, slice(2, 5))
    assert part["sentinel2"] == together["sentinel2"][2:5]


def test_a_batch_in_parts_trains_to_the_same_figures(cache, tmp_path):
    exact = replace(CONFIG, mixed_precision=False)
    whole = train(fresh(), cache, exact, 0, tmp_path / "whole")
    parts = train(fresh(), cache, replace(exact, micro_batch=3), 0, tmp_path / "parts")
    for a, b in zip(without_times(whole), without_times(parts), strict=True):
        assert a == pytest.approx(b, rel=2e-3, abs=2e-4)


def test_weight_decay_follows_its_schedule_on_matrices_alone(cache, tmp_path, monkeypatch):
    from jepa_core.training import loop

    seen = []

    class Watched(torch.optim.AdamW):
        def step(self, closure=None):
            seen.append([(group["lr"], group["weight_decay"]) for group in self.param_groups])
            return super().step(closure)

    monkeypatch.setattr(loop, "AdamW", Watched)
    train(fresh(), cache, replace(CONFIG, weight_decay=0.1, end_weight_decay=0.5), 0, tmp_path)
    decays = [decayed for (_, decayed), _ in seen]
    assert decays[0] == pytest.approx(0.1)
    assert decays[-1] == pytest.approx(0.5)
    assert decays == sorted(decays)
    assert all(plain == 0.0 for _, (_, plain) in seen)


def test_positions_queries_biases_norms_and_what_is_not_trained_are_not_decayed():
    from jepa_core.training.loop import _parameter_groups

    for variant in CONFIGS:
        model = built(variant)
        names = {id(p): name for name, p in model.named_parameters()}
        decayed, others = ([names[id(p)] for p in group["params"]] for group in _parameter_groups(model))
        assert all(name.endswith("weight") or name.endswith("in_proj_weight") for name in decayed)
        assert not any("norm" in name for name in decayed)
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        assert sorted(decayed + others) == sorted(trained)
        assert {"position", "query", "bias"} & {part for name in others for part in name.split(".")}


def test_parts_that_have_nothing_in_common_are_clipped_apart(cache, tmp_path, monkeypatch):
    clipped = []
    real = torch.nn.utils.clip_grad_norm_

    def watched(parameters, limit):
        parameters = list(parameters)
        clipped.append(len(parameters))
        return real(parameters, limit)

    monkeypatch.setattr("torch.nn.utils.clip_grad_norm_", watched)
    model = fresh("rejepa")
    train(model, cache, replace(CONFIG, epochs=1), 0, tmp_path)
    assert clipped == [len(list(n.parameters())) for n in model.networks.values()] * 2


def test_the_probe_is_asked_now_and_then_and_last(cache, tmp_path):
    asked = []

    def probe(variant, of):
        asked.append(variant)
        return {"probe_f1_s1_to_s2": 0.5}

    history = train(fresh(), cache, replace(CONFIG, probe_steps=3), 0, tmp_path, probe=probe)
    assert [row["step"] for row in history if "probe_f1_s1_to_s2" in row] == [3, 6, 8]
    assert len(asked) == 3
