"""Networks that users bring, one a sensor, as a describer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from jepa_core.errors import JepaError
from jepa_core.external.network import Network
from jepa_core.external.outputs import unit_features
from jepa_core.external.settings import EncoderError
from jepa_core.sensors import Sensor
from jepa_core.statistics import BandStatistics, normalise
from jepa_core.vectors import Purpose

_BATCH = 32
"""Images that go through a network at once: large ones have to fit in memory."""


@dataclass(frozen=True)
class SensorEncoder:
    """The network of one sensor and how its input is made."""

    spec: str
    """As it was typed."""

    sensor: Sensor
    """Whose patches it takes."""

    seen: Sensor
    """The same with the bands that the network sees, in its order."""

    statistics: Mapping[str, BandStatistics]
    """What inputs are normalised with, by band."""

    side: int | None
    """Pixels along a side that images are resized to; None: they stay as they are."""

    network: Network
    """Gives the features."""

    @property
    def identity(self) -> dict[str, Any]:
        """With the sensor's own fields all that its descriptors hang on, for JSON."""
        return {
            "network": self.network.identity,
            "bands": list(self.seen.band_names),
            "side": self.side,
            "statistics": {band: asdict(values) for band, values in self.statistics.items()},
        }

    def describe(self, pixels: np.ndarray) -> np.ndarray:
        """Unit vectors, float32 (patches, dimension).

        Raises:
            EncoderError: the network cannot take the images, or gives what it may not.
        """
        if not len(pixels):
            raise EncoderError(f"{self.spec} was asked about no patch")
        size = self.network.batch or _BATCH
        return np.concatenate([self._batch(pixels[i : i + size]) for i in range(0, len(pixels), size)])

    def images(self, pixels: np.ndarray) -> np.ndarray:
        """What the network is given: its bands, normalised and resized, float32 (patches, bands, side, side)."""
        chosen = pixels[:, self.sensor.positions(self.seen.band_names)]
        images = normalise(chosen, self.seen, self.statistics)
        if self.side is None or images.shape[-2:] == (self.side, self.side):
            return images
        size = (self.side, self.side)
        return F.interpolate(torch.from_numpy(images), size=size, mode="bilinear", antialias=True).numpy()

    def _batch(self, pixels: np.ndarray) -> np.ndarray:
        images = self.images(pixels)
        # A network of a fixed batch gets the last images filled up; what is filled is dropped.
        count = self.network.batch or len(images)
        filled = np.resize(images, (count, *images.shape[1:])) if len(images) < count else images
        try:
            features = self.network.run(np.ascontiguousarray(filled))
        except JepaError:
            raise
        # A network is the user's code, and fails as it likes.
        except Exception as error:
            bands = ", ".join(self.seen.band_names)
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise EncoderError(
                f"{self.spec} fails on {self.sensor.name} images of shape {images.shape[1:]} (bands {bands}): {line}; "
                "which bands and which side it takes, a file of settings can say"
            ) from error
        return unit_features(features, count, f"{self.spec} on {self.sensor.name}")[: len(images)]


@dataclass(frozen=True)
class ExternalEncoder:
    """A user's networks as a `Describer`. There is one kind of descriptor, which serves all searches."""

    name: str
    """What was typed."""

    fingerprint: str
    """Over weights, settings and statistics."""

    encoders: Mapping[str, SensorEncoder]
    """By sensor name; sensors that are missing here are refused."""

    @property
    def parameters(self) -> int | None:
        """Of all networks, one that two sensors share counted once; None where one is not known."""
        counts = {id(encoder.network): encoder.network.parameters for encoder in self.encoders.values()}
        known = [count for count in counts.values() if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def config(self) -> dict[str, Any]:
        """What a report says of it, by sensor, for JSON."""
        return {name: {"spec": encoder.spec, **encoder.identity} for name, encoder in self.encoders.items()}

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names of the sensors that it describes."""
        return tuple(self.encoders)

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """See `Describer.describe`.

        Raises:
            EncoderError: there is no network for this sensor with these bands, or it fails.
        """
        encoder = self.encoders.get(sensor.name)
        if encoder is None:
            raise EncoderError(f"{self.name} is for {', '.join(self.encoders)}, not for {sensor.name}")
        if encoder.sensor.band_names != sensor.band_names:
            raise EncoderError(
                f"{self.name} was opened for {sensor.name} bands {', '.join(encoder.sensor.band_names)}, "
                f"not {', '.join(sensor.band_names)}"
            )
        return {"same": encoder.describe(pixels)}
