"""Band statistics of a training set: what a model's inputs are normalised with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from jepa_core.cutting import valid_mask
from jepa_core.errors import JepaError
from jepa_core.sensors import Sensor


@dataclass(frozen=True)
class BandStatistics:
    """Mean and standard deviation of one band over the valid pixels of a training set."""

    mean: float
    """In the band's unit."""

    std: float
    """In the band's unit."""

    unit: str
    """Unit of both, so that statistics of one unit are never applied to values of another."""


class StatisticsError(JepaError):
    """Values are not what their band's record says."""


def band_statistics(batches: Iterable[np.ndarray], sensor: Sensor) -> dict[str, BandStatistics]:
    """Statistics of each band, by name.

    Args:
        batches: arrays of shape (patches, bands, y, x) in the sensor's unit and band order.
        sensor: the sensor.

    Raises:
        StatisticsError: no valid pixel, a constant band, or a mean outside the band's range, which a wrong
            unit gives.
    """
    count = 0
    total = np.zeros(len(sensor.bands))
    squares = np.zeros(len(sensor.bands))
    for batch in batches:
        valid = valid_mask(batch, sensor)
        values = np.moveaxis(batch, -3, 0)[:, valid].astype(np.float64)
        count += values.shape[1]
        total += values.sum(axis=1)
        squares += (values**2).sum(axis=1)
    if count == 0:
        raise StatisticsError(f"no valid {sensor.name} pixel to take statistics of")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    statistics = {}
    for i, band in enumerate(sensor.bands):
        low, high = band.mean_range
        if not low <= mean[i] <= high:
            raise StatisticsError(
                f"{sensor.name} {band.name} has the mean {mean[i]:.4g}, outside {low:g} to {high:g} {band.unit}: "
                "are the values in another unit?"
            )
        if std[i] <= 0:
            raise StatisticsError(f"{sensor.name} {band.name} is constant at {mean[i]:.4g} {band.unit}")
        statistics[band.name] = BandStatistics(float(mean[i]), float(std[i]), band.unit)
    return statistics


def normalise(pixels: np.ndarray, sensor: Sensor, statistics: Mapping[str, BandStatistics]) -> np.ndarray:
    """Pixels less their band's mean, over its standard deviation; 0, the mean, where there is no measurement.

    Args:
        pixels: (patches, bands, y, x) in the sensor's unit and band order.
        sensor: the sensor.
        statistics: of each band, by name.

    Returns:
        float32 of the same shape.

    Raises:
        StatisticsError: statistics of a band are missing or in another unit; the message names it.
    """
    for band in sensor.bands:
        if band.name not in statistics:
            raise StatisticsError(f"no statistics of {sensor.name} {band.name}")
        if statistics[band.name].unit != band.unit:
            raise StatisticsError(
                f"statistics of {sensor.name} {band.name} are in {statistics[band.name].unit}, values in {band.unit}"
            )
    mean = np.array([statistics[n].mean for n in sensor.band_names], np.float32)[:, None, None]
    std = np.array([statistics[n].std for n in sensor.band_names], np.float32)[:, None, None]
    normalised = (pixels.astype(np.float32) - mean) / std
    return np.where(valid_mask(pixels, sensor)[:, None], normalised, np.float32(0.0))
