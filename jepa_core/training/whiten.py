"""Fits what evens out a method's descriptors, on images that it was trained on."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf

from jepa_core.choice import evenly
from jepa_core.device import on_device
from jepa_core.nn.whitening import Whitening
from jepa_core.statistics import normalise
from jepa_core.training.cache import TrainingCache
from jepa_core.variants.per_sensor import PerSensor

MOST_IMAGES = 4000
"""Of a sensor that are looked at: a covariance of a few hundred features is settled by then."""

_FLOOR = 3.0
"""Added to the variance of each direction, as a share of their mean: directions that hold next to nothing stay small.
Chosen on EuroSAT's validation part (`docs/results.md`)."""

_AT_ONCE = 128


def whiten_on_cache(variant: PerSensor, cache: TrainingCache) -> None:
    """Fits a trained method's whitening on an even choice of its training images."""
    rows = evenly(len(cache), MOST_IMAGES)

    def normalised(name: str) -> Iterator[np.ndarray]:
        for start in range(0, len(rows), _AT_ONCE):
            pixels = cache.pixels[name][rows[start : start + _AT_ONCE]]
            yield normalise(pixels, cache.sensors[name], cache.statistics[name])

    whiten(variant, {name: normalised(name) for name in cache.sensors})


@torch.no_grad()
def whiten(variant: PerSensor, images: Mapping[str, Iterable[np.ndarray]]) -> None:
    """Fits each sensor's whitening; the covariance is Ledoit's and Wolf's, drawn to the identity where images are few.

    Args:
        variant: a method with whitening, left in the mode that it was in.
        images: by sensor name, blocks of normalised images, (images, bands, y, x).
    """
    training = variant.training
    variant.eval()
    on = next(variant.parameters()).device
    for sensor, blocks in images.items():
        network = variant.networks[sensor]
        parts = [network.embed(on_device(torch.from_numpy(block), on)).double().cpu().numpy() for block in blocks]
        vectors = np.concatenate(parts)
        mean = vectors.mean(axis=0)
        whitening = cast("Whitening", variant.whitening[f"same_{sensor}"])
        whitening.set(torch.from_numpy(mean), torch.from_numpy(whitening_matrix(vectors - mean)))
    variant.train(training)


def whitening_matrix(centred: np.ndarray) -> np.ndarray:
    """The symmetric root of the inverse covariance; the identity where all vectors are one.

    Args:
        centred: float64 (vectors, dimension), of mean 0.

    Returns:
        (dimension, dimension).
    """
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    variances, directions = np.linalg.eigh(covariance)
    mean = variances.mean()
    if not mean > 1e-12:
        return np.eye(centred.shape[1])
    floored = np.maximum(variances, 0) / mean + _FLOOR
    return np.asarray((directions / np.sqrt(floored)) @ directions.T)
