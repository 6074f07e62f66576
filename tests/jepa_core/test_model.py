import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from jepa_core.fingerprint import file_digest, fingerprint
from jepa_core.model import ModelError, load_model
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import SENTINEL1, SENTINEL2


@pytest.fixture
def folder(cut_store, trained, tmp_path):
    """A copy of the trained model's folder, to be broken."""
    source = next((cut_store.root / "models" / "crjepa").iterdir())
    return shutil.copytree(source, tmp_path / "model")


def test_a_loaded_model_is_the_saved_one(folder, trained):
    again = load_model(folder)
    assert again.fingerprint == trained.fingerprint
    for name, value in trained.variant.state_dict().items():
        assert torch.equal(value, again.variant.state_dict()[name])


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json"])
def test_changed_files_are_refused(folder, file):
    if file == "model.json":
        fields = json.loads((folder / file).read_text())
        fields["statistics"]["sentinel1"]["VV"]["mean"] += 1
        (folder / file).write_text(json.dumps(fields))
    else:
        data = bytearray((folder / file).read_bytes())
        data[-1] ^= 1
        (folder / file).write_bytes(bytes(data))
    with pytest.raises(ModelError, match=rf"^{file} in .*model changed after training"):
        load_model(folder)


def test_a_model_whose_network_is_another_is_said_to_be_older(folder):
    weights, fields = load_file(folder / "weights.safetensors"), json.loads((folder / "model.json").read_text())
    save_file({k: v for k, v in weights.items() if "whitening" not in k}, folder / "weights.safetensors")
    fields["weights_sha256"] = file_digest(folder / "weights.safetensors")
    identity = {k: v for k, v in fields.items() if k not in ("fingerprint", "about")}
    (folder / "model.json").write_text(json.dumps(fields | {"fingerprint": fingerprint(identity)}))
    with pytest.raises(ModelError, match=r"networks were others; train again: .* --select crjepa_index"):
        load_model(folder)


def test_a_sensor_with_other_bands_than_those_of_training_is_refused(trained):
    reordered = replace(SENTINEL1, bands=SENTINEL1.bands[::-1])
    with pytest.raises(ModelError, match="was trained on sentinel1 bands VV, VH, not VH, VV"):
        trained.describe(np.zeros((1, 2, 120, 120), "float32"), reordered)


def test_descriptors_come_from_normalised_pixels(trained, cut_store):
    rows = read_patches(cut_store, SENTINEL2).iloc[:3]
    pixels = read_pixels(cut_store, SENTINEL2, rows)
    vectors = trained.describe(pixels, SENTINEL2)["same"]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    statistics = trained.statistics["sentinel2"]
    mean = np.array([statistics[n].mean for n in SENTINEL2.band_names])[:, None, None]
    std = np.array([statistics[n].std for n in SENTINEL2.band_names])[:, None, None]
    images = torch.from_numpy(((pixels - mean) / std).astype("float32"))
    with torch.no_grad():
        expected = trained.variant.describe(images, "sentinel2")["same"]
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-4)


def test_a_sensor_that_it_was_not_trained_on_is_refused(trained):
    other = replace(SENTINEL1, name="palsar")
    with pytest.raises(ModelError, match="crjepa knows sentinel1, sentinel2, not palsar"):
        trained.describe(np.zeros((1, 2, 120, 120), "float32"), other)
