import json
import sys

import numpy as np
import pytest
import torch.nn.functional as F
from onnx import TensorProto
from torch import from_numpy

from jepa_core.external.opening import open_encoder
from jepa_core.external.settings import EncoderError
from jepa_core.fingerprint import file_digest
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.vectors import check_unit
from tests.jepa_core.external.networks import Tokens, matrix, write_onnx, write_torchscript
from tests.labelled import labelled_set

# TorchScript is deprecated; files of it are still about.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


@pytest.fixture(scope="module")
def radar():
    return labelled_set(rows=40, sensors=(SENTINEL1,), missing=0.3)


@pytest.fixture(scope="module")
def optical():
    return labelled_set(rows=40, sensors=(SENTINEL2,))


@pytest.fixture
def settings(tmp_path):
    def write(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def unit_rows(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_hand(data, rows, weight):
    """Band means of pixels normalised by the training rows, missing ones at the mean, times a matrix."""
    train = data.read(SENTINEL1, data.rows("train")).astype(np.float64)
    mean, std = np.nanmean(train, axis=(0, 2, 3)), np.nanstd(train, axis=(0, 2, 3))
    normalised = (data.read(SENTINEL1, rows) - mean[:, None, None]) / std[:, None, None]
    return unit_rows(np.nan_to_num(normalised).mean(axis=(2, 3)) @ weight)


@pytest.mark.parametrize("kind", ["torchscript", "onnx", "onnx of fixed batch", "tokens"])
def test_descriptors_are_those_of_the_network_on_normalised_pixels(tmp_path, radar, kind):
    weight, rows = matrix(2), np.arange(37)
    if kind == "torchscript":
        spec = f"torchscript:{write_torchscript(tmp_path / 'net.pt', weight)}"
    elif kind == "tokens":
        spec = f"torchscript:{write_torchscript(tmp_path / 'net.pt', weight, Tokens)}"
    else:
        shape = (3, None, 16, 16) if kind == "onnx of fixed batch" else ("batch", None, "y", "x")
        spec = f"onnx:{write_onnx(tmp_path / 'net.onnx', weight, shape)}"
    encoder = open_encoder(spec, radar)
    got = encoder.describe(radar.read(SENTINEL1, rows), SENTINEL1)
    assert list(got) == ["same"]
    assert got["same"].dtype == np.float32
    np.testing.assert_allclose(got["same"], by_hand(radar, rows, weight), atol=1e-5)
    assert encoder.name == spec
    assert encoder.parameters == (None if "onnx" in kind else weight.size)


def test_a_model_sees_its_bands_in_its_order_with_its_own_normalisation_and_side(tmp_path, optical, settings):
    weight = matrix(3)
    write_torchscript(tmp_path / "net.pt", weight, Tokens)
    path = settings(
        '[sensors.sentinel2]\nbands = ["B04", "B03", "B02"]\nside = 8\n'
        "scale = 0.0001\nmean = [0.9, 1.0, 1.1]\nstd = [0.1, 0.2, 0.3]\n"
    )
    pixels = optical.read(SENTINEL2, np.arange(6))
    pixels[2, 1, :9] = 0
    got = open_encoder(f"torchscript:{tmp_path / 'net.pt'}", optical, path).describe(pixels, SENTINEL2)["same"]
    rgb = pixels[:, [3, 2, 1]] * 0.0001
    mean, std = np.array([0.9, 1.0, 1.1])[:, None, None], np.array([0.1, 0.2, 0.3])[:, None, None]
    images = np.where((pixels[:, [3, 2, 1]] != 0).all(axis=1)[:, None], (rgb - mean) / std, 0).astype("float32")
    images = F.interpolate(from_numpy(images), size=(8, 8), mode="bilinear", antialias=True).numpy()
    np.testing.assert_allclose(got, unit_rows(images.mean(axis=(2, 3)) @ weight), atol=1e-5)


def test_fingerprints_tell_weights_settings_and_statistics_apart(tmp_path, radar, settings):
    first = f"torchscript:{write_torchscript(tmp_path / 'a.pt', matrix(2))}"
    second = f"torchscript:{write_torchscript(tmp_path / 'b.pt', matrix(2, seed=1))}"
    opened = [
        open_encoder(first, radar),
        open_encoder(second, radar),
        open_encoder(first, labelled_set(rows=40, sensors=(SENTINEL1,), seed=1)),
        open_encoder(f"onnx:{write_onnx(tmp_path / 'a.onnx', matrix(2))}", radar),
    ]
    texts = ("side = 8", "mean = [-12, -19]\nstd = [5, 5]", "mean = [-12, -19]\nstd = [5, 6]")
    opened += [open_encoder(first, radar, settings(f"[sensors.s1]\n{text}\n")) for text in texts]
    assert len({encoder.fingerprint for encoder in opened}) == len(opened)
    again = open_encoder(first, radar)
    assert again.fingerprint == opened[0].fingerprint


def test_an_encoder_of_one_sensor_refuses_the_other_by_name(tmp_path, settings):
    pairs = labelled_set(rows=40)
    spec = f"onnx:{write_onnx(tmp_path / 'net.onnx', matrix(2))}"
    encoder = open_encoder(spec, pairs, settings("[sensors.sentinel1]\n"))
    assert encoder.sensors == ("sentinel1",)
    check_unit(encoder.describe(pairs.read(SENTINEL1, np.arange(2)), SENTINEL1)["same"], "descriptors")
    with pytest.raises(EncoderError, match="is for sentinel1, not for sentinel2"):
        encoder.describe(pairs.read(SENTINEL2, np.arange(2)), SENTINEL2)


def test_settings_for_another_network_than_the_one_typed_are_refused(tmp_path, radar, settings):
    first, second = (f"onnx:{write_onnx(tmp_path / name, matrix(2))}" for name in ("a.onnx", "b.onnx"))
    path = settings(f'[sensors.s1]\nspec = "{first}"\n')
    assert open_encoder(first, radar, path).sensors == ("sentinel1",)
    with pytest.raises(EncoderError, match=r"settings.toml is for onnx:.*a.onnx on sentinel1, not for onnx:.*b.onnx"):
        open_encoder(second, radar, path)


def test_settings_of_one_file_name_and_other_content_give_other_names(tmp_path, radar):
    spec, names = f"onnx:{write_onnx(tmp_path / 'net.onnx', matrix(2))}", []
    for folder, text in (("a", "side = 8"), ("b", "side = 16"), ("c", "side = 8  # the same as a")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.toml").write_text(f"[sensors.s1]\n{text}\n")
        names.append(open_encoder(spec, radar, tmp_path / folder / "s.toml").name)
    assert names[0] == names[2] != names[1]
    assert all(name.startswith(f"{spec} (s.toml ") for name in names)


def test_weights_beside_an_onnx_file_count(tmp_path, radar):
    # A long name has a length of two bytes.
    for beside in ("net.onnx.data", f"{'long' * 50}.bin"):
        prints = []
        for seed in (0, 1, 0):
            # The file is appended to where it is.
            (tmp_path / beside).unlink(missing_ok=True)
            path = write_onnx(tmp_path / "net.onnx", matrix(2, seed=seed), beside=beside)
            prints.append((path.read_bytes(), open_encoder(f"onnx:{path}", radar).fingerprint))
        graphs, fingerprints = zip(*prints, strict=True)
        assert len(set(graphs)) == 1
        assert fingerprints[0] == fingerprints[2] != fingerprints[1]


def test_the_config_says_what_a_report_needs(tmp_path, radar, settings):
    spec = f"onnx:{write_onnx(tmp_path / 'net.onnx', matrix(2))}"
    encoder = open_encoder(spec, radar, settings("[sensors.s1]\nside = 8\nmean = [-12, -19]\nstd = [5, 6]\n"))
    said = json.loads(json.dumps(encoder.config))["sentinel1"]
    assert (said["spec"], said["bands"], said["side"]) == (spec, ["VV", "VH"], 8)
    assert said["statistics"]["VH"]["std"] == 6
    assert said["network"] == f"onnx {file_digest(tmp_path / 'net.onnx')}"


def test_a_patch_without_a_measurement_has_a_unit_vector(tmp_path, radar):
    encoder = open_encoder(f"onnx:{write_onnx(tmp_path / 'net.onnx', matrix(2))}", radar)
    check_unit(encoder.describe(np.full((2, 2, 16, 16), np.nan, "float32"), SENTINEL1)["same"], "descriptors")


def test_specs_and_files_that_cannot_be_are_plain_errors(tmp_path, radar, optical, settings):
    (tmp_path / "text.pt").write_text("no network")
    for spec, message in (
        ("resnet18", "an encoder is typed as timm:NAME"),
        ("keras:model.h5", "an encoder is typed as timm:NAME"),
        ("onnx:", "an encoder is typed as timm:NAME"),
        (f"onnx:{tmp_path}/none.onnx", "there is no file"),
        (f"onnx:{tmp_path}/text.pt", "is no ONNX that onnxruntime can run"),
        (f"torchscript:{tmp_path}/text.pt", "is no TorchScript"),
    ):
        with pytest.raises(EncoderError, match=message):
            open_encoder(spec, radar)
    write_onnx(tmp_path / "double.onnx", matrix(2), dtype=TensorProto.DOUBLE)
    with pytest.raises(EncoderError, match=r"takes images tensor\(double\).*one float32 input"):
        open_encoder(f"onnx:{tmp_path}/double.onnx", radar)
    write_onnx(tmp_path / "oblong.onnx", matrix(2), ("batch", None, 16, 8))
    with pytest.raises(EncoderError, match="takes images of 16 x 8; squares are needed"):
        open_encoder(f"onnx:{tmp_path}/oblong.onnx", radar)
    write_onnx(tmp_path / "fixed.onnx", matrix(2), ("batch", None, 8, 8))
    with pytest.raises(EncoderError, match="takes images of 8 pixels, settings say 16"):
        open_encoder(f"onnx:{tmp_path}/fixed.onnx", radar, settings("[sensors.s1]\nside = 16\n"))
    for spec in (
        f"onnx:{write_onnx(tmp_path / 'net.onnx', matrix(2))}",
        f"torchscript:{write_torchscript(tmp_path / 'net.pt', matrix(2))}",
    ):
        with pytest.raises(EncoderError, match=r"fails on sentinel2 images of shape \(12, 16, 16\) \(bands B01, B02"):
            open_encoder(spec, optical)


def test_without_onnxruntime_the_error_says_what_to_install(tmp_path, radar, monkeypatch):
    path = write_onnx(tmp_path / "net.onnx", matrix(2))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EncoderError, match=r"needs onnxruntime: pip install 'jepa-search\[onnx\]'"):
        open_encoder(f"onnx:{path}", radar)


def test_values_that_are_not_finite_are_refused(tmp_path, radar):
    weight = matrix(2)
    weight[0, 0] = np.inf
    with pytest.raises(EncoderError, match="gave values that are not finite for 1 of 1 patches"):
        open_encoder(f"torchscript:{write_torchscript(tmp_path / 'net.pt', weight)}", radar)
