"""A trained model on disk: weights, config and the statistics it was trained with, under one fingerprint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from jepa_core import atomic
from jepa_core.device import best_device, on_device
from jepa_core.errors import JepaError
from jepa_core.fingerprint import file_digest, fingerprint
from jepa_core.sensors import Sensor, sensor_from_json, sensor_to_json
from jepa_core.statistics import BandStatistics, normalise
from jepa_core.tables import HISTORY, write_table
from jepa_core.variants import registry
from jepa_core.variants.sizes import parameter_count
from jepa_core.variants.variant import Variant
from jepa_core.vectors import Purpose

Statistics = Mapping[str, Mapping[str, BandStatistics]]
"""By sensor and band name."""


class ModelError(JepaError):
    """A model's files are not what they claim to be, or do not fit what is asked of them."""


@dataclass(frozen=True)
class TrainedModel:
    """Turns pixels in a sensor's own unit into descriptors."""

    name: str
    """Name of the method, e.g. `crjepa`."""

    variant: Variant
    """The network, in evaluation mode."""

    sensors: Mapping[str, Sensor]
    """By name: the bands that it was trained with."""

    statistics: Statistics
    """What inputs are normalised with."""

    fingerprint: str
    """Of weights, config, bands and statistics: descriptors of equal fingerprints are comparable, others are not."""

    folder: Path | None = None
    """Where it was read from; None for one that is in memory only."""

    @property
    def parameters(self) -> int:
        """Of what makes descriptors, over all sensors."""
        return parameter_count(self.variant.roles().encoder)

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """Unit vectors of patches, of each kind that the model has.

        Args:
            pixels: (patches, bands, y, x) in the sensor's unit and band order.
            sensor: the patches' sensor.

        Returns:
            By kind, float32 (patches, dimension).

        Raises:
            ModelError: the model was not trained on this sensor, or not with these bands.
        """
        return self.encode(self.images(pixels, sensor), sensor)

    def images(self, pixels: np.ndarray, sensor: Sensor) -> Tensor:
        """What the encoder is given: pixels normalised, still on the CPU.

        Args:
            pixels: (patches, bands, y, x) in the sensor's unit and band order.
            sensor: the patches' sensor.

        Returns:
            float32 of the same shape.

        Raises:
            ModelError: the model was not trained on this sensor, or not with these bands.
        """
        if sensor.name not in self.sensors:
            raise ModelError(f"{self.name} knows {', '.join(self.sensors)}, not {sensor.name}")
        trained = self.sensors[sensor.name]
        if trained.band_names != sensor.band_names:
            raise ModelError(
                f"{self.name} was trained on {sensor.name} bands {', '.join(trained.band_names)}, "
                f"not {', '.join(sensor.band_names)}"
            )
        return torch.from_numpy(normalise(pixels, sensor, self.statistics[sensor.name]))

    @torch.inference_mode()
    def encode(self, images: Tensor, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """Unit vectors of what `images` gave: by kind, float32 (patches, dimension)."""
        described = self.variant.describe(on_device(images, self.device), sensor.name)
        return {purpose: vectors.float().cpu().numpy() for purpose, vectors in described.items()}

    @property
    def device(self) -> torch.device:
        """What it computes on."""
        return next(self.variant.parameters()).device


def save_model(
    folder: Path,
    name: str,
    variant: Variant,
    config: Any,
    sensors: Mapping[str, Sensor],
    statistics: Statistics,
    history: Sequence[Mapping[str, float]],
    about: Mapping[str, Any],
) -> str:
    """Writes the model atomically.

    Args:
        folder: takes `weights.safetensors`, `model.json` and `history.parquet`.
        name: of the method.
        variant: the network.
        config: its config record.
        sensors: by name, with the bands of the training pairs.
        statistics: of the training pairs.
        history: figures of each training step.
        about: whatever else is worth keeping (recipe, seed, figures); not part of the fingerprint.

    Returns:
        The model's fingerprint.
    """
    with atomic.new_folder(folder) as temporary:
        weights = temporary / "weights.safetensors"
        save_file({k: v.contiguous().cpu() for k, v in variant.state_dict().items()}, weights)
        identity = {
            "variant": name,
            "config": registry.config_to_json(config),
            "sensors": {name: sensor_to_json(sensor) for name, sensor in sensors.items()},
            "statistics": {
                s: {band: asdict(values) for band, values in bands.items()} for s, bands in statistics.items()
            },
            "weights_sha256": file_digest(weights),
        }
        model_fingerprint = fingerprint(identity)
        write_table(pd.DataFrame(history), HISTORY, temporary / "history.parquet")
        atomic.write_json(
            temporary / "model.json",
            {**identity, "fingerprint": model_fingerprint, "about": dict(about)},
        )
    return model_fingerprint


def load_model(folder: Path) -> TrainedModel:
    """Reads and checks a model.

    Raises:
        ModelError: weights or description were changed since they were written, or an older version wrote them.
    """
    if not all((folder / name).exists() for name in ("model.json", "weights.safetensors")):
        raise ModelError(f"no whole model in {folder}; delete it and run again")
    fields = atomic.read_json(folder / "model.json")
    if "sensors" not in fields:
        raise ModelError(f"{folder} was written by an older version; train again")
    identity = {k: v for k, v in fields.items() if k not in ("fingerprint", "about")}
    weights = folder / "weights.safetensors"
    changed = None
    if fingerprint(identity) != fields.get("fingerprint"):
        changed = "model.json"
    elif file_digest(weights) != identity["weights_sha256"]:
        changed = weights.name
    if changed:
        raise ModelError(f"{changed} in {folder} changed after training; delete that folder and run again")
    config = registry.config_from_json(identity["variant"], identity["config"])
    sensors = {name: sensor_from_json(fields) for name, fields in identity["sensors"].items()}
    counts = {name: len(sensor.bands) for name, sensor in sensors.items()}
    variant = registry.build(identity["variant"], config, counts, seed=0)
    try:
        variant.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise ModelError(
            f"{folder} was written by a version whose networks were others; train again: dagster asset materialize "
            f"--select {identity['variant']}_index"
        ) from error
    statistics = {
        name: {band: BandStatistics(**values) for band, values in bands.items()}
        for name, bands in identity["statistics"].items()
    }
    on = variant.eval().to(best_device())
    return TrainedModel(identity["variant"], on, sensors, statistics, fields["fingerprint"], folder)
