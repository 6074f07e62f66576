"""Fits what evens out a method's descriptors, on images that it was trained on."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf

from jepa_core.choice import evenly
from jepa_core.device import on_device
from jepa_core.nn.whitening import Whitening
from jepa_core.progress import track
from jepa_core.statistics import normalise
from jepa_core.training.cache import TrainingCache
from jepa_core.variants.variant import Variant

MOST_IMAGES = 4000
"""Of a sensor that are looked at: a covariance of a few hundred features is settled by then."""

_FLOOR = 3.0
"""Added to the variance of each direction, as a share of their mean: directions that hold next to nothing stay small.
Chosen on EuroSAT's validation part (`docs/results.md`)."""

KEPT = 128
"""Directions of a level that are kept, of those with the largest variance: with 64 on EuroSAT retrieval is as with all
384, and archives of more kinds of ground and more bands may need more."""

_AT_ONCE = 128


def whiten_on_cache(variant: Variant, cache: TrainingCache) -> None:
    """Fits a trained method's whitening on an even choice of its training images."""
    rows = evenly(len(cache), MOST_IMAGES)

    def normalised(name: str) -> Iterator[np.ndarray]:
        for start in track(range(0, len(rows), _AT_ONCE), f"Whitening {name}", unit="block"):
            pixels = cache.pixels[name][rows[start : start + _AT_ONCE]]
            yield normalise(pixels, cache.sensors[name], cache.statistics[name])

    whiten(variant, {name: normalised(name) for name in cache.sensors})


@torch.no_grad()
def whiten(variant: Variant, images: Mapping[str, Iterable[np.ndarray]]) -> None:
    """Fits each level's whitening by sensor.

    The covariance is Ledoit's and Wolf's, drawn to the identity where images are few. A level that searches across
    sensors keeps its axes, which are the same for both; others are turned to their own, of which `KEPT` stay.

    Args:
        variant: a method with whitening, left in the mode that it was in.
        images: by sensor name, blocks of normalised images, (images, bands, y, x).
    """
    training = variant.training
    variant.eval()
    on = next(variant.parameters()).device
    for sensor, blocks in images.items():
        parts: dict[str, list[np.ndarray]] = {level: [] for level in variant.whitened}
        for block in blocks:
            levels = variant.levels(on_device(torch.from_numpy(block), on), sensor)
            for level, found in parts.items():
                found.append(levels[level].double().cpu().numpy())
        for level, found in parts.items():
            vectors = np.concatenate(found)
            mean = vectors.mean(axis=0)
            across = level in variant.described_by.get("cross", ())
            matrix = whitening_matrix(vectors - mean, None if across else KEPT)
            whitening = cast("Whitening", variant.whitening[f"{level}_{sensor}"])
            whitening.set(torch.from_numpy(mean), torch.from_numpy(matrix))
    variant.train(training)


def whitening_matrix(centred: np.ndarray, kept: int | None = None) -> np.ndarray:
    """What evens out the directions of vectors; where all vectors are one, it changes nothing.

    Args:
        centred: float64 (vectors, dimension), of mean 0.
        kept: how many directions stay, of the largest variance, and become the axes; where None all stay and the axes
            are what they were: the symmetric root of the inverse covariance.

    Returns:
        (dimension, dimension or kept).
    """
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    variances, directions = np.linalg.eigh(covariance)
    mean = variances.mean()
    if not mean > 1e-12:
        return np.eye(centred.shape[1])[:, :kept]
    scaled = directions / np.sqrt(np.maximum(variances, 0) / mean + _FLOOR)
    return np.asarray(scaled @ directions.T if kept is None else scaled[:, -kept:])
