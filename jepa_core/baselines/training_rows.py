"""What baselines are fitted on: the training rows of a set, or an even choice of many."""

from collections.abc import Callable, Iterable

import numpy as np

from jepa_core.cutting import valid_mask
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import JepaError
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.statistics import BandStatistics, band_statistics

MOST_ROWS = 5000
"""Rows that a baseline is fitted on at most: a few hundred figures a row are settled by then."""

_BLOCK = 256
"""Rows read at a time."""


class BaselineError(JepaError):
    """A set does not allow a baseline."""


def training_rows(data: LabelledSet) -> np.ndarray:
    """Training rows, labelled or not; of more than `MOST_ROWS` as many, evenly spread.

    Raises:
        BaselineError: fewer than two.
    """
    rows = data.rows("train")
    if len(rows) < 2:
        raise BaselineError(f"{data.name} has {len(rows)} training rows; a baseline is fitted on two or more")
    if len(rows) <= MOST_ROWS:
        return rows
    return np.asarray(rows[np.arange(MOST_ROWS) * len(rows) // MOST_ROWS])


def check_training_rows(data: LabelledSet) -> None:
    """Makes sure that a baseline can be fitted, without reading more rows than it takes to see that.

    Raises:
        BaselineError: fewer than two training rows, or none with a valid pixel of some sensor.
    """
    rows = training_rows(data)
    for sensor in data.sensors:
        # Nearly always the first row has one.
        if not any(valid_mask(block, sensor).any() for block in data.blocks(sensor, rows, 1)):
            raise BaselineError(f"no training row of {data.name} has a valid {sensor.name} pixel")


def training_features(
    data: LabelledSet, sensor: Sensor, features: Callable[[np.ndarray, Sensor], np.ndarray]
) -> np.ndarray:
    """Features of the training rows, read in blocks.

    Args:
        data: the set.
        sensor: one of its sensors.
        features: pixels (patches, bands, y, x) and sensor to (patches, features).

    Returns:
        (training rows, features).
    """
    return np.concatenate([features(block, sensor) for block in training_blocks(data, sensor)])


def training_statistics(data: LabelledSet, sensor: Sensor) -> dict[str, BandStatistics]:
    """Band statistics of the training rows, by band name.

    Raises:
        StatisticsError: no valid pixel, a constant band, or values in another unit than the sensor's.
    """
    return band_statistics(training_blocks(data, sensor), sensor)


def training_blocks(data: LabelledSet, sensor: Sensor) -> Iterable[np.ndarray]:
    """Pixels of the training rows, with a bar that shows how far they are."""
    rows = training_rows(data)
    total = -(-len(rows) // _BLOCK)
    return track(data.blocks(sensor, rows, _BLOCK), f"{data.name} {sensor.short}", total, "block")
