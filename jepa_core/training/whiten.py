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
from jepa_core.variants.variant import Variant

MOST_IMAGES = 4000
"""Of a sensor that are looked at: a covariance of a few hundred features is settled by then."""

_FLOOR = 3.0
"""Added to the variance of each direction, as a share of their mean: directions that hold next to nothing stay small.
Chosen on EuroSAT's validation part (`docs/results.md`)."""

_AT_ONCE = 128


def whiten_on_cache(variant: Variant, cache: TrainingCache) -> None:
    """Fits a trained method's whitening on an even choice of its training images."""
    rows = evenly(len(cache), MOST_IMAGES)

    def normalised(name: str) -> Iterator[np.ndarray]:
        for start in range(0, len(rows), _AT_ONCE):
            pixels = cache.pixels[name][rows[start : start + _AT_ONCE]]
            yield normalise(pixels, cache.sensors[name], cache.statistics[name])

    whiten(variant, {name: normalised(name) for name in cache.sensors})


@torch.no_grad()
def whiten(variant: Variant, images: Mapping[str, Iterable[np.ndarray]]) -> None:
    """Fits the whitening of every kind of descriptor.

    Each sensor has a mean of its own. Vectors that are compared across sensors have one matrix, from both sensors'
    centred vectors together; those that are compared within a sensor have one a sensor. The covariance is Ledoit's
    and Wolf's, which few images draw towards a multiple of the identity.

    Args:
        variant: the method, left in the mode that it was in.
        images: by sensor name, blocks of normalised images, (images, bands, y, x).
    """
    training = variant.training
    variant.eval()
    on = next(variant.parameters()).device
    vectors: dict[str, list[np.ndarray]] = {}
    for sensor, blocks in images.items():
        for block in blocks:
            embedded = variant.embed(on_device(torch.from_numpy(block), on), sensor)
            for purpose, found in embedded.items():
                vectors.setdefault(f"{purpose}_{sensor}", []).append(found.double().cpu().numpy())
    variant.train(training)
    whole = {name: np.concatenate(parts) for name, parts in vectors.items()}
    means = {name: found.mean(axis=0) for name, found in whole.items()}
    centred = {name: found - means[name] for name, found in whole.items()}
    for purpose in variant.purposes:
        names = [f"{purpose}_{sensor}" for sensor in images]
        groups = [names] if purpose == "cross" else [[name] for name in names]
        for group in groups:
            matrix = whitening_matrix(np.concatenate([centred[name] for name in group]))
            for name in group:
                cast("Whitening", variant.whitening[name]).set(torch.from_numpy(means[name]), torch.from_numpy(matrix))


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
