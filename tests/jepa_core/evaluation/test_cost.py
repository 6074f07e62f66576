import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from jepa_core.baselines.random_encoder import random_encoder
from jepa_core.baselines.registry import baseline
from jepa_core.evaluation import cost as module
from jepa_core.evaluation.cost import BATCH, BATCHES, cost
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.variants import ijepa
from jepa_core.variants.sizes import measured
from tests.labelled import labelled_set

PAIR = (SENTINEL1, SENTINEL2)


@pytest.fixture(scope="module")
def data():
    return labelled_set(rows=40)


def samples(data, rows=3):
    return {sensor.name: data.read(sensor, np.arange(rows)) for sensor in data.sensors}


def test_figures_of_a_network_are_those_that_the_table_of_sizes_has(data):
    got = cost(random_encoder(data, 0), PAIR, samples(data))
    expected = measured("ijepa", "tiny", ijepa.SIZES["tiny"], PAIR)
    assert got.parameters == expected.parameters_encoder
    # Two levels of 256 features are whitened to 128 each, which the table leaves out.
    whitening = 2 * 2 * 256 * 128
    assert got.flops_per_image == {name: flops + whitening for name, flops in expected.flops_per_image.items()}
    # Two bytes each.
    assert got.bytes_per_descriptor == 2 * 2 * 128
    assert set(got.seconds_per_image) == {"sentinel1", "sentinel2"}
    assert all(seconds > 0 for seconds in got.seconds_per_image.values())


def test_a_describer_without_torch_has_no_flops_and_all_its_kinds_take_room(data):
    got = cost(baseline("band-statistics", data, 0), PAIR, samples(data))
    assert got.flops_per_image is None
    # The second sensor's space has 24 figures, for each of two kinds.
    assert got.bytes_per_descriptor == 2 * (24 + 24)


@dataclass
class Sleeper:
    """Takes a known time for a batch; at first a long one."""

    parameters: int | None = None
    name: str = "sleeper"
    fingerprint: str = "0"
    calls: int = 0

    def describe(self, pixels, sensor):
        self.calls += 1
        time.sleep(0.3 if self.calls == 1 else 0.032 if len(pixels) == BATCH else 0)
        return {"same": np.ones((len(pixels), 1), "float32")}


def test_seconds_are_those_of_an_image_after_the_warm_up(data):
    sleeper = Sleeper()
    got = cost(sleeper, (SENTINEL1,), samples(data))
    assert 0.001 <= got.seconds_per_image["sentinel1"] < 0.009
    assert sleeper.calls == 1 + 1 + BATCHES
    assert got.parameters is None


def test_of_slow_batches_few_are_enough(data, monkeypatch):
    monkeypatch.setattr(module, "ENOUGH_SECONDS", 0.01)
    sleeper = Sleeper()
    cost(sleeper, (SENTINEL1,), samples(data))
    assert sleeper.calls == 1 + 1 + 1


def test_fused_transformer_layers_are_counted_and_left_as_they_were(data):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()

    class Fused(Sleeper):
        @torch.inference_mode()
        def describe(self, pixels, sensor):
            self.calls += 1
            return {"same": layer(torch.ones(len(pixels), 4, 8)).flatten(1).numpy()}

    was = torch.backends.mha.get_fastpath_enabled()
    got = module.cost(Fused(), (SENTINEL1,), samples(data))
    # Four tokens of 8: maps of 4 x 8 x 8 and 2 x 8 x 16 weights, and the two products of attention.
    assert got.flops_per_image == {"sentinel1": 2 * 4 * (4 * 64 + 2 * 128) + 2 * 2 * 4 * 4 * 8}
    assert torch.backends.mha.get_fastpath_enabled() == was
