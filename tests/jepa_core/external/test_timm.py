import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from jepa_core.external import timm_models
from jepa_core.external.opening import open_encoder
from jepa_core.external.settings import EncoderError
from jepa_core.sensors import SENTINEL1
from jepa_core.statistics import band_statistics, normalise
from jepa_core.vectors import check_unit
from tests.labelled import labelled_set

VIT, CONVOLUTIONS = "test_vit", "test_resnet"


@pytest.fixture(scope="module")
def radar():
    return labelled_set(rows=40, sensors=(SENTINEL1,))


@pytest.fixture
def small(tmp_path):
    """Settings of a small input."""
    path = tmp_path / "small.toml"
    path.write_text("[sensors.sentinel1]\nside = 32\n")
    return path


def network(name, bands=2, classes=0, **options):
    torch.manual_seed(5)
    return timm.create_model(name, in_chans=bands, num_classes=classes, **options).eval()


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize(("name", "options"), [(VIT, {"img_size": 32}), (CONVOLUTIONS, {})])
def test_descriptors_are_pooled_features_of_the_weights_in_the_file(tmp_path, radar, small, name, options, ending):
    model, path = network(name, classes=3, **options), tmp_path / f"weights.{ending}"
    if ending == "pth":
        torch.save({"state_dict": {f"module.{key}": value for key, value in model.state_dict().items()}}, path)
    else:
        save_file(model.state_dict(), path)
    encoder = open_encoder(f"timm:{name}:{path}", radar, small)
    pixels = radar.read(SENTINEL1, np.arange(4))
    statistics = band_statistics([radar.read(SENTINEL1, radar.rows("train"))], SENTINEL1)
    images = torch.from_numpy(normalise(pixels, SENTINEL1, statistics))
    images = torch.nn.functional.interpolate(images, size=(32, 32), mode="bilinear", antialias=True)
    model.reset_classifier(0)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model(images), dim=-1).numpy()
    np.testing.assert_allclose(encoder.describe(pixels, SENTINEL1)["same"], expected, atol=1e-5)
    assert encoder.parameters == sum(p.numel() for p in model.parameters())


def test_random_weights_hang_on_the_seed_alone(radar, small):
    before = torch.random.get_rng_state()
    first, again, other = (open_encoder(f"timm:{VIT}", radar, small, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.fingerprint == again.fingerprint != other.fingerprint
    vectors = [encoder.describe(radar.read(SENTINEL1, np.arange(3)), SENTINEL1)["same"] for encoder in (first, again)]
    np.testing.assert_array_equal(*vectors)
    check_unit(vectors[0], "descriptors")


def test_without_a_side_images_are_brought_to_that_which_the_model_was_made_for(radar):
    encoder = open_encoder(f"timm:{VIT}", radar)
    assert encoder.encoders["sentinel1"].side == timm.get_pretrained_cfg(VIT).input_size[-1]


def test_a_file_of_another_network_is_refused(tmp_path, radar, small):
    def written(name, state):
        save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / name)
        return f"timm:{VIT}:{tmp_path / name}"

    whole = network(VIT, img_size=32).state_dict()
    fewer = {key: value for key, value in whole.items() if "blocks.1" not in key}
    with pytest.raises(EncoderError, match=r"weights are missing and 0 are not its own, blocks.1"):
        open_encoder(written("fewer.safetensors", fewer), radar, small)
    with pytest.raises(EncoderError, match=r"0 weights are missing and 1 are not its own, decoder.weight first"):
        open_encoder(written("more.safetensors", whole | {"decoder.weight": torch.ones(2)}), radar, small)
    three = network(VIT, bands=3, img_size=32).state_dict()
    with pytest.raises(EncoderError, match=r"three.safetensors does not fit timm:test_vit with 2 bands"):
        open_encoder(written("three.safetensors", three), radar, small)


def test_a_file_that_would_run_code_is_refused(tmp_path, radar, small):
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return ran.touch, ()

    torch.save({"state_dict": Hostile()}, tmp_path / "weights.pth")
    with pytest.raises(EncoderError, match="does not fit"):
        open_encoder(f"timm:{VIT}:{tmp_path / 'weights.pth'}", radar, small)
    assert not ran.exists()


def test_models_and_files_that_do_not_exist_are_plain_errors(tmp_path, radar, small):
    with pytest.raises(EncoderError, match=r"timm has no model 'resnet1'; it has .*resnet1"):
        open_encoder("timm:resnet1", radar)
    with pytest.raises(EncoderError, match=r"there is no file none.pth; timm:test_vit takes 'pretrained' or a file"):
        open_encoder(f"timm:{VIT}:none.pth", radar, small)
    (tmp_path / "weights.npz").touch()
    with pytest.raises(EncoderError, match="no file of weights that is known"):
        open_encoder(f"timm:{VIT}:{tmp_path / 'weights.npz'}", radar, small)


def test_a_side_that_a_model_cannot_have_is_a_plain_error(tmp_path, radar):
    path = tmp_path / "odd.toml"
    path.write_text("[sensors.s1]\nside = 8\n")
    with pytest.raises(EncoderError, match="timm:test_vit"):
        open_encoder(f"timm:{VIT}", radar, path)


def test_weights_that_cannot_be_fetched_are_a_plain_error(radar, monkeypatch):
    def offline(*arguments, **options):
        raise OSError("no route to host")

    monkeypatch.setattr(timm_models.timm, "create_model", offline)
    with pytest.raises(
        EncoderError, match=r"cannot be fetched, which needs a network \(no route.*type timm:test_vit:F"
    ):
        open_encoder(f"timm:{VIT}:pretrained", radar)
