import json
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.sensors import SENSORS
from jepa_core.variants import registry
from jepa_core.variants.sizes import measured
from jepa_core.variants.xjepa import XJEPAConfig

BANDS = {"sentinel1": 2, "sentinel2": 12}
EVERY = [(variant, size) for variant, method in registry.METHODS.items() for size in method.sizes]


def printed(*arguments):
    result = CliRunner().invoke(app, ["variants", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def records():
    return {(record["variant"], record["size"]): record for record in json.loads(printed("--json"))}


def test_every_variant_and_size_has_a_record_with_exactly_the_documented_keys(records):
    assert list(records) == EVERY
    for record in records.values():
        assert list(record) == [
            "variant",
            "size",
            "sensors",
            "tokens",
            "width",
            "depth",
            "parameters_encoder",
            "parameters_predictor",
            "parameters_trainable",
            "parameters_paper",
            "flops_per_image",
            "training_flops_per_image",
        ]
        assert record["sensors"] == list(record["flops_per_image"]) == list(BANDS)


@pytest.mark.parametrize(("variant", "millions"), [("rejepa", 197.09), ("xjepa", 172.86), ("crjepa", 117.93)])
def test_size_paper_has_the_published_number_of_parameters(records, variant, millions):
    assert records[variant, "paper"]["parameters_paper"] / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize(("size", "tokens"), [("tiny", 36), ("paper", 196)])
@pytest.mark.parametrize("variant", registry.METHODS)
def test_flops_are_those_of_a_count_by_hand(records, variant, size, tokens):
    config, record = registry.METHODS[variant].sizes[size], records[variant, size]
    width, depth = config.width, config.depth
    assert (record["tokens"], record["width"], record["depth"]) == (tokens, width, depth)
    # A block's maps hold 12 width^2: 3 to queries, keys and values, 1 out of the attention, 8 in the MLP.
    maps = 2 * tokens * 12 * width**2 * depth
    # Queries times keys, and their products times values.
    attention = 2 * 2 * tokens**2 * width * depth
    # Both heads, on the mean token. CR-JEPA's make no descriptor.
    head = 0
    if variant == "lejepa":
        head = 2 * sum(2 * a * b for a, b in pairwise([width, *config.head_hidden, config.dimension]))
    for sensor, bands in BANDS.items():
        stem = 2 * tokens * bands * config.patch_size**2 * width
        if size == "tiny":
            # Windows of 2, 2 and 5 pixels, a quarter of the width in between.
            channels, left = [bands, width // 4, width // 4, width], [60, 30, 6]
            windows = zip(pairwise(channels), (2, 2, 5), left, strict=True)
            stem = sum(2 * a * b * side**2 * places**2 for (a, b), side, places in windows)
        if variant == "lejepa":
            # Four halvings with 3 x 3 convolutions, whose width doubles, and a last map of each token.
            channels, side = [bands, width // 8, width // 4, width // 2, width], config.input_size
            halved = [2 * 9 * a * b * (side // 2 ** (i + 1)) ** 2 for i, (a, b) in enumerate(pairwise(channels))]
            stem = sum(halved) + 2 * tokens * width**2
        assert record["flops_per_image"][sensor] == stem + maps + attention + head


def test_a_training_step_of_mae_is_three_passes_of_what_it_looks_at(records):
    config = registry.METHODS["mae"].sizes["paper"]
    seen, tokens, width, narrow = 49, 196, config.width, config.decoder_width
    pixels = config.patch_size**2
    trunk = seen * 12 * width**2 * config.depth + 2 * seen**2 * width * config.depth
    decoder = tokens * 12 * narrow**2 * config.decoder_depth + 2 * tokens**2 * narrow * config.decoder_depth
    ends = sum(
        # The images' own gradient is not taken; the decoder's maps in and out have both.
        2 * tokens * bands * pixels * width + 3 * seen * width * narrow + 3 * (tokens - seen) * narrow * bands * pixels
        for bands in BANDS.values()
    )
    by_hand = 2 * (len(BANDS) * 3 * (trunk + decoder) + ends)
    assert records["mae", "paper"]["training_flops_per_image"] == pytest.approx(by_hand, rel=0.02)


def test_parameters_are_those_of_the_parts():
    config = XJEPAConfig(
        input_size=32, patch_size=8, width=32, depth=2, heads=2, predictor_width=16, predictor_depth=1, queries=3
    )
    got = measured("xjepa", "small", config, tuple(SENSORS.values()))
    # Weights and biases of: two norms, queries with keys and values, the way out, both layers of the MLP.
    block = 4 * 32 + 3 * 32 * 33 + 32 * 33 + 128 * 33 + 32 * 129
    # The stem's map of 8 x 8 pixels, and the last norm.
    encoders = sum(32 * (bands * 64 + 1) + 2 * block + 64 for bands in BANDS.values())
    # Three norms, two attentions, an MLP.
    narrow = 6 * 16 + 2 * 4 * 16 * 17 + 64 * 17 + 16 * 65
    # Two maps in, a mask token, the block, a norm, a map out; for each sensor. Three queries for both.
    predictors = 2 * (2 * 16 * 33 + 16 + narrow + 32 + 32 * 17) + 3 * 16
    assert got.parameters_encoder == got.parameters_paper == encoders
    assert got.parameters_predictor == predictors
    # PSA's factor is trained and in neither part.
    assert got.parameters_trainable == encoders + predictors + 32 * 32


@pytest.mark.slow
def test_the_table_has_a_line_for_every_variant_and_size_in_units_that_people_read():
    header, *rows, legend = printed().splitlines()
    assert [tuple(row.split()[:2]) for row in rows] == EVERY
    assert max(map(len, (header, *rows, legend))) <= 120
    (rejepa,) = (row for row in rows if row.startswith("rejepa   paper"))
    # 197,094,144 parameters and 35,635,396,608 FLOPs; a row's numbers stand below the names of their columns.
    assert rejepa.index("197.09 M") + 8 == header.index("paper") + 5
    assert rejepa.index("35.64 G") + 7 == header.index("FLOPs s2") + 8
    assert "2 a multiply-add" in legend
