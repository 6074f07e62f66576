"""A random vector a patch: chance, by the same road as everything else."""

import hashlib
from dataclasses import dataclass

import numpy as np

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor, sensor_to_json
from jepa_core.vectors import Purpose, unit

DIMENSION = 128
"""Of the vectors; a descriptor's usual size."""

_CODE = 1
"""Counts changes of what the vectors are."""


@dataclass(frozen=True)
class RandomVectors:
    """Draws vectors from a generator that the pixels themselves seed: a patch has one vector, however it is read.

    Patches that are equal pixel by pixel are the only ones with anything in common. There is one kind; what it
    finds across sensors is chance too.
    """

    fingerprint: str
    """Over the set, its sensors, the seed and what else vectors hang on."""

    seed: int
    """Another seed gives other vectors."""

    name: str = "random-vectors"
    """Of the baseline."""

    parameters: int = 0
    """Nothing is fitted."""

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """See `Describer.describe`."""
        return {"same": unit(np.array([self._vector(patch, sensor) for patch in pixels]).reshape(-1, DIMENSION))}

    def _vector(self, patch: np.ndarray, sensor: Sensor) -> np.ndarray:
        values = np.ascontiguousarray(patch, dtype="<f4")
        about = hashlib.sha256(f"{self.seed} {sensor.name} {values.shape}".encode())
        about.update(values.tobytes())
        return np.random.default_rng(int.from_bytes(about.digest(), "big")).normal(size=DIMENSION)


def random_vectors(data: LabelledSet, seed: int) -> RandomVectors:
    """Random vectors for a set."""
    sensors = [sensor_to_json(sensor) for sensor in data.sensors]
    return RandomVectors(fingerprint(["random-vectors", data.version, sensors, seed, DIMENSION, _CODE]), seed)
