"""A model of two sensors behind `python:examples/encoders/two_sensors.py:open_two_sensors`.

It stands for foundation models such as CROMA (an encoder a sensor, trained to agree) or DOFA (one trunk, and first
layers made from the bands' wavelengths): a first layer a sensor and a ViT for both. To use such a model, put its own
classes in place of `TwoSensors`, and name the file of its weights in the variable ENCODER_WEIGHTS. Without one, the
weights are random and the figures those of an untrained network.
"""

import os
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from timm.layers import PatchEmbed
from torch import Tensor, nn

from jepa_core.cutting import valid_mask
from jepa_core.device import best_device
from jepa_core.fingerprint import file_digest, fingerprint
from jepa_core.sensors import Sensor

SIDE = 64
"""Pixels along a side that images are resized to. CROMA was trained on 120, DOFA on 224."""

# What a published model was trained with, in the sensor's own unit. Put the model's own values here.
MEAN = {"sentinel1": (-12.0, -19.0), "sentinel2": (1500.0,) * 12}
STD = {"sentinel1": (5.0, 5.5), "sentinel2": (1200.0,) * 12}


class TwoSensors(nn.Module):
    """A first layer a sensor, one ViT behind them."""

    def __init__(self, bands: dict[str, int]) -> None:
        super().__init__()
        self.trunk = timm.create_model("vit_tiny_patch16_224", img_size=SIDE, num_classes=0)
        # Tokens come from the stems instead.
        self.trunk.patch_embed = nn.Identity()
        width = self.trunk.embed_dim
        self.stems = nn.ModuleDict({name: PatchEmbed(SIDE, 16, count, width) for name, count in bands.items()})

    def forward(self, images: Tensor, sensor: str) -> Tensor:
        """Tokens of images (batch, bands, SIDE, SIDE): (batch, tokens, width)."""
        tokens: Tensor = self.trunk.forward_features(self.stems[sensor](images))
        return tokens


class Encoder:
    """What the benchmark asks of a model: `describe` and `fingerprint`."""

    def __init__(self, sensors: tuple[Sensor, ...], weights: Path | None) -> None:
        for sensor in sensors:
            if sensor.name not in MEAN or len(MEAN[sensor.name]) != len(sensor.bands):
                raise ValueError(f"this model does not take {sensor.name} with bands {', '.join(sensor.band_names)}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = TwoSensors({sensor.name: len(sensor.bands) for sensor in sensors})
        if weights is not None:
            model.load_state_dict(load_file(weights))
        self.model = model.eval().to(best_device())
        # All that descriptors hang on. This file counts by itself; constants that come from elsewhere, say from a
        # package of the model's authors, would not, unless they are named here.
        digest = "random" if weights is None else file_digest(weights)
        self.fingerprint = fingerprint([digest, SIDE, MEAN, STD])
        self.parameters = sum(p.numel() for p in model.parameters())

    @torch.inference_mode()
    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[str, np.ndarray]:
        """One kind of descriptor: both sensors share a space, so it also serves searches across them."""
        mean = np.array(MEAN[sensor.name], np.float32)[:, None, None]
        std = np.array(STD[sensor.name], np.float32)[:, None, None]
        values = np.where(valid_mask(pixels, sensor)[:, None], (pixels.astype(np.float32) - mean) / std, 0)
        images = torch.from_numpy(values).to(best_device())
        images = F.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        tokens = torch.cat([self.model(part, sensor.name) for part in images.split(32)])
        return {"same": tokens.mean(dim=1).float().cpu().numpy()}


def open_two_sensors(sensors: tuple[Sensor, ...]) -> Encoder:
    """The entry point."""
    named = os.environ.get("ENCODER_WEIGHTS")
    return Encoder(sensors, Path(named) if named else None)
