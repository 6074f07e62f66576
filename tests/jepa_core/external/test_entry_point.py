import sys
import types
from pathlib import Path

import numpy as np
import pytest

from jepa_core.external.opening import open_encoder
from jepa_core.external.settings import EncoderError
from jepa_core.fingerprint import file_digest
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.vectors import check_unit
from tests.labelled import labelled_set

EXAMPLES = Path(__file__).parents[3] / "examples" / "encoders"

GOOD = """
class Means:
    fingerprint = "1"
    parameters = 0
    sensors = ("sentinel1",)

    def describe(self, pixels, sensor):
        means = pixels.astype("float32").mean(axis=(2, 3))
        return {"cross": means[:, :1] + 1000, "same": 7 * means}


def opened(sensors):
    assert [sensor.name for sensor in sensors] == ["sentinel1", "sentinel2"]
    return Means()
"""


@pytest.fixture(scope="module")
def pairs():
    return labelled_set(rows=40)


@pytest.fixture
def module(tmp_path):
    def write(text, name="mine"):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return f"python:{path}:opened"

    return write


def test_vectors_are_those_of_the_users_object_at_unit_norm(module, pairs):
    encoder = open_encoder(module(GOOD), pairs)
    pixels = pairs.read(SENTINEL1, np.arange(3))
    got = encoder.describe(pixels, SENTINEL1)
    means = pixels.mean(axis=(2, 3))
    np.testing.assert_allclose(got["same"], means / np.linalg.norm(means, axis=1, keepdims=True), rtol=1e-5)
    assert list(got) == ["same", "cross"]
    assert encoder.parameters == 0
    with pytest.raises(EncoderError, match="is for sentinel1, not for sentinel2"):
        encoder.describe(pairs.read(SENTINEL2, np.arange(3)), SENTINEL2)


def test_a_function_of_a_package_is_found_and_the_objects_fingerprint_counts(module, pairs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    first = open_encoder(module(GOOD), pairs)
    module(GOOD, "encoder_in_a_package")
    assert open_encoder("python:encoder_in_a_package:opened", pairs).sensors == ("sentinel1",)
    assert open_encoder(module(GOOD), pairs).fingerprint == first.fingerprint
    assert open_encoder(module(GOOD.replace('"1"', '"2"')), pairs).fingerprint != first.fingerprint


def test_other_code_is_another_fingerprint_though_the_object_says_the_same(module, pairs, tmp_path, monkeypatch):
    first, changed = (open_encoder(module(text), pairs) for text in (GOOD, GOOD.replace("7 *", "8 *")))
    assert first.name == changed.name
    assert first.fingerprint != changed.fingerprint
    assert changed.config == {
        "spec": changed.name,
        "source_sha256": file_digest(tmp_path / "mine.py"),
        "fingerprint": "1",
    }
    monkeypatch.syspath_prepend(tmp_path)
    module(GOOD, "encoder_in_a_module")
    named = open_encoder("python:encoder_in_a_module:opened", pairs)
    assert named.config["source_sha256"] == file_digest(tmp_path / "encoder_in_a_module.py")


def test_a_module_without_a_source_file_has_no_digest(pairs, monkeypatch):
    made = types.ModuleType("encoder_of_no_file")
    exec(GOOD, vars(made))
    monkeypatch.setitem(sys.modules, made.__name__, made)
    assert open_encoder(f"python:{made.__name__}:opened", pairs).config["source_sha256"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("import", "import"), None),
        (('fingerprint = "1"', ""), "object with describe.pixels, sensor. and a text fingerprint"),
        (("return Means()", "return None"), "object with describe"),
        (("return Means()", "raise ValueError('no radar here')"), "cannot be opened: ValueError: no radar here"),
        (("def opened", "def closed"), "has no function 'opened'"),
        (("class Means:", "import a_missing_package\nclass Means:"), "cannot be imported: ModuleNotFoundError"),
        (("7 * means", "means[1:]"), r"gave \(0, 2\) for 1 patches"),
        (("7 * means", "means / 0"), "not finite"),
        (("7 * means", 'means.astype("int64")'), "gave int64, not floating point"),
        (('"cross"', '"both"'), "gave both, same; a mapping of same and cross is needed"),
        (("return {", "return [] and {"), "gave list; a mapping of same"),
        (("means = pixels", "means = pixel"), "fails on sentinel1: NameError"),
        (
            ('sensors = ("sentinel1",)', 'sensors = ("palsar",)'),
            "knows none of the set's sensors: sentinel1, sentinel2",
        ),
        (
            ('sensors = ("sentinel1",)', ""),
            "different lengths.*sentinel1: same 2, cross 1; sentinel2: same 12, cross 1",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_a_users_code_does_wrong_is_a_plain_error(module, pairs, change, message):
    spec = module(GOOD.replace(*change))
    if message is None:
        open_encoder(spec, pairs)
        return
    with pytest.raises(EncoderError, match=message):
        open_encoder(spec, pairs)


def test_specs_that_name_no_function_are_plain_errors(pairs, tmp_path):
    for spec, message in (
        ("python:package.module", "has to be python:package.module:function"),
        ("python:no_such_package:opened", "cannot be imported: ModuleNotFoundError"),
        (f"python:{tmp_path}/none.py:opened", "there is no file"),
    ):
        with pytest.raises(EncoderError, match=message):
            open_encoder(spec, pairs)
    with pytest.raises(EncoderError, match="it takes no file of settings"):
        open_encoder("python:a:b", pairs, tmp_path / "settings.toml")


def test_the_example_of_two_sensors_runs_with_random_weights_and_with_those_of_a_file(pairs, tmp_path, monkeypatch):
    spec = f"python:{EXAMPLES / 'two_sensors.py'}:open_two_sensors"
    monkeypatch.delenv("ENCODER_WEIGHTS", raising=False)
    random = open_encoder(spec, pairs)
    described = [random.describe(pairs.read(sensor, np.arange(3)), sensor)["same"] for sensor in pairs.sensors]
    for vectors in described:
        check_unit(vectors, "descriptors")
    assert described[0].shape == described[1].shape
    from safetensors.torch import save_file

    state = {key: value + 0.01 for key, value in random.encoder.model.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    monkeypatch.setenv("ENCODER_WEIGHTS", str(tmp_path / "weights.safetensors"))
    loaded = open_encoder(spec, pairs)
    assert loaded.config["fingerprint"] != random.config["fingerprint"]
    assert loaded.fingerprint != random.fingerprint
    assert np.abs(loaded.describe(pairs.read(SENTINEL1, np.arange(3)), SENTINEL1)["same"] - described[0]).max() > 1e-3
    # The constants are to be changed by users, and count in the example's own fingerprint.
    (tmp_path / "other.py").write_text((EXAMPLES / "two_sensors.py").read_text().replace("(-12.0, ", "(-11.0, "))
    other = open_encoder(f"python:{tmp_path / 'other.py'}:open_two_sensors", pairs)
    assert other.config["fingerprint"] != loaded.config["fingerprint"]
    one = labelled_set(rows=40, sensors=(SENTINEL2.with_bands(["B02", "B03"]),))
    with pytest.raises(EncoderError, match="does not take sentinel2 with bands B02, B03"):
        open_encoder(spec, one)


def test_the_example_of_dinov2_runs_with_random_weights(pairs, tmp_path):
    text = (EXAMPLES / "dinov2_rgb.toml").read_text()
    path = tmp_path / "dinov2.toml"
    path.write_text(text.replace('.lvd142m:pretrained"', '"'))
    encoder = open_encoder("timm:vit_small_patch14_dinov2", pairs, path)
    vectors = encoder.describe(pairs.read(SENTINEL2, np.arange(2)), SENTINEL2)["same"]
    check_unit(vectors, "descriptors")
    assert vectors.shape == (2, 384)
    assert encoder.encoders["sentinel2"].side == 126
