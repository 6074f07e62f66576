"""Figures of a patch that need no training. NaN stands for what no valid pixel says."""

import numpy as np

from jepa_core.cutting import valid_mask
from jepa_core.sensors import Sensor


def band_means_and_deviations(pixels: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Mean and standard deviation of each band over a patch's valid pixels.

    Args:
        pixels: (patches, bands, y, x) in the sensor's unit.
        sensor: the sensor.

    Returns:
        float64 (patches, 2 x bands): the means, then the deviations; NaN for a patch without a valid pixel.
    """
    valid = valid_mask(pixels, sensor)[:, None]
    mean = _mean(pixels, valid)
    squares = (np.where(valid, pixels, 0) - np.nan_to_num(mean)) ** 2
    return np.concatenate([mean[..., 0, 0], np.sqrt(_mean(squares, valid)[..., 0, 0])], axis=1)


def thumbnail(pixels: np.ndarray, sensor: Sensor, side: int) -> np.ndarray:
    """Each band averaged over the valid pixels of equal squares.

    Pixels that a border cuts count in parts. A square without a valid pixel takes the mean of the patch.

    Args:
        pixels: (patches, bands, y, x) in the sensor's unit; of any size, smaller than `side` too.
        sensor: the sensor.
        side: squares along y and x.

    Returns:
        float64 (patches, bands x side x side); NaN for a patch without a valid pixel.
    """
    valid = valid_mask(pixels, sensor)[:, None]
    down, across = _shares(pixels.shape[-2], side), _shares(pixels.shape[-1], side)
    values = np.where(valid, pixels, 0).astype(np.float64)
    weight = down @ valid.astype(np.float64) @ across.T
    # Sums over weights of a hair's breadth are rounding errors only.
    there = weight > 1e-9
    means = np.where(there, (down @ values @ across.T) / np.where(there, weight, 1), _mean(pixels, valid))
    return means.reshape(len(pixels), -1)


def _mean(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean over the valid pixels, (patches, bands, 1, 1); NaN without one."""
    count = valid.sum(axis=(2, 3), keepdims=True)
    total = np.where(valid, values, 0).sum(axis=(2, 3), keepdims=True, dtype=np.float64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _shares(pixels: int, parts: int) -> np.ndarray:
    """How much of each pixel of a line lies in each of its equal parts, (parts, pixels)."""
    edges = np.linspace(0, pixels, parts + 1)[:, None]
    starts = np.arange(pixels)
    overlap = np.minimum(edges[1:], starts + 1) - np.maximum(edges[:-1], starts)
    return np.asarray(np.maximum(overlap, 0.0))
