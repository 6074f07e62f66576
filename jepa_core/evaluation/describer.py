"""The contract of whatever makes descriptors: trained models, baselines, models that users bring."""

from typing import Protocol

import numpy as np

from jepa_core.sensors import Sensor
from jepa_core.vectors import Purpose


class Describer(Protocol):
    """Turns pixels in a sensor's own unit into unit vectors; a `TrainedModel` is one."""

    @property
    def name(self) -> str:
        """Of the method, the baseline or the model."""

    @property
    def fingerprint(self) -> str:
        """Descriptors of equal fingerprints are comparable, others are not."""

    @property
    def parameters(self) -> int | None:
        """Of what makes descriptors, over all sensors; None where it cannot be known."""

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """Unit vectors of patches, of each kind that there is.

        Args:
            pixels: (patches, bands, y, x) in the sensor's unit and band order.
            sensor: the patches' sensor.

        Returns:
            By kind, float32 (patches, dimension).
        """
