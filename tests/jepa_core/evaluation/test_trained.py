"""Methods trained on labelled sets."""

from dataclasses import replace
from pathlib import Path

import pytest

from jepa_core.errors import UnknownNameError
from jepa_core.evaluation.trained import read_choice, trained_on
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
from jepa_core.training.pretrain import Choice
from jepa_core.variants.registry import ConfigError
from tests.labelled import labelled_set

SMALL = {
    "input_size": 16,
    "patch_size": 8,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "decoder_width": 16,
    "decoder_heads": 2,
}


def test_a_method_of_one_sensor_trains_once_on_a_set_of_one_sensor(tmp_path):
    store, data = Store.at(tmp_path), labelled_set(rows=40, sensors=(SENTINEL2,))
    choice = Choice("mae", epochs=2, model=SMALL)
    first = trained_on(store, data, choice)
    assert first.pairs == len(data.rows("train"))
    written = (first.folder / "weights.safetensors").stat().st_mtime_ns
    again = trained_on(store, data, choice)
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)
    assert (again.folder / "weights.safetensors").stat().st_mtime_ns == written
    other = trained_on(store, data, Choice("mae", epochs=2, seed=1, model=SMALL))
    assert other.folder != first.folder


def test_a_method_of_two_sensors_says_that_it_cannot_train_on_one(tmp_path):
    data = labelled_set(rows=40, sensors=(SENTINEL2,))
    with pytest.raises(ConfigError, match="takes two sensors, not 1"):
        trained_on(Store.at(tmp_path), data, Choice("crjepa", epochs=2))


def test_settings_come_from_a_file(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('size = "small"\n[recipe]\nbatch_size = 64\n[model]\nwidth = 96\n')
    assert read_choice("mae", 3, 7, [file]) == Choice(
        "mae", "small", 3, epochs=7, model={"width": 96}, recipe={"batch_size": 64}
    )
    assert read_choice("mae", 0, None, []) == Choice("mae")


def test_what_a_later_file_says_goes_before_an_earlier_one(tmp_path):
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text("[model]\nwidth = 96\ndepth = 2\n[recipe]\nbatch_size = 64\n")
    second.write_text('size = "small"\n[model]\ndepth = 3\n')
    both = read_choice("mae", 0, None, [first, second])
    assert both == Choice("mae", "small", model={"width": 96, "depth": 3}, recipe={"batch_size": 64})


@pytest.mark.parametrize("variant", ["ijepa", "mae", "rejepa", "xjepa", "crjepa"])
def test_the_examples_for_eurosat_fit_every_method_that_masks(variant):
    examples = Path(__file__).parents[3] / "examples/benchmarks"
    config, recipe = read_choice(variant, 0, 2, [examples / "eurosat.toml"]).settled()
    assert (config.input_size, config.patch_size, config.width, config.stem) == (64, 8, 192, "hmlp")
    assert recipe.batch_size == 64


@pytest.mark.parametrize(
    ("base", "variant", "file", "fields"),
    [
        ("eurosat", "crjepa", "single-head", {"single_head": True}),
        ("eurosat", "crjepa", "no-sigreg", {"weight_sigreg": 0.0}),
        ("eurosat", "crjepa", "no-infonce", {"weight_cross": 0.0, "weight_uni": 0.0}),
        ("eurosat-lejepa", "lejepa", "single-head", {"single_head": True}),
    ],
)
def test_the_ablations_change_what_they_are_named_after(base, variant, file, fields):
    examples = Path(__file__).parents[3] / "examples/benchmarks"
    settings = [examples / f"{base}.toml", examples / f"{variant}-{file}.toml"]
    whole, _ = read_choice(variant, 0, None, settings[:1]).settled()
    less, _ = read_choice(variant, 0, None, settings).settled()
    assert less == replace(whole, **fields)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("sise = 3", UnknownNameError, "has a field 'sise'; known are size, processes, model, recipe"),
        ("model = 3", ConfigError, "model cannot be 3"),
        ("[model]\nwidht = 96", UnknownNameError, "model has no field 'widht'; it has "),
        ("[recipe]\nbatchsize = 96", UnknownNameError, "recipe has no field 'batchsize'; it has "),
        ('[model]\nwidth = "wide"', ConfigError, "model: width cannot be 'wide'"),
        ("size = ", ConfigError, "is not TOML"),
    ],
)
def test_a_wrong_file_is_a_plain_error_that_names_it(tmp_path, text, error, message):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(error, match=message) as raised:
        read_choice("mae", 0, None, [file])
    assert str(file) in str(raised.value)


def test_whether_fields_go_together_shows_when_all_files_are_read(tmp_path):
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text("[recipe]\nwarmup_epochs = 3")
    second.write_text("[recipe]\nwarmup_epochs = 1")
    with pytest.raises(ConfigError, match="a warm-up of 3 epochs leaves nothing of 2"):
        read_choice("mae", 0, 2, [first]).settled()
    assert read_choice("mae", 0, 2, [first, second]).settled()[1].warmup_epochs == 1
