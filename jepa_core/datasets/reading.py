"""Readers of labelled sets, made of a function that reads one image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from jepa_core.datasets.labelled_set import DatasetError, Reader
from jepa_core.sensors import Sensor


@dataclass(frozen=True)
class Images:
    """What a set holds of one sensor."""

    sensor: Sensor
    """The sensor, with all bands that `read` gives."""

    side: int
    """Height and width, pixels."""

    read: Callable[[int], np.ndarray]
    """Row to pixels (bands, y, x). Called from several threads at once."""

    described: Callable[[int], str]
    """Row to the file that a message names."""


def reader_of(name: str, sources: Sequence[Images]) -> Reader:
    """The reader of a set.

    Args:
        name: of the set, for messages.
        sources: one a sensor.

    Returns:
        A reader that takes sensors of the set, whole or reduced to some of their bands, and raises `DatasetError`
        where the set has no such sensor or an image has another size than it should.
    """
    by_name = {images.sensor.name: images for images in sources}

    def read(sensor: Sensor, rows: np.ndarray) -> np.ndarray:
        images = by_name.get(sensor.name)
        if images is None:
            raise DatasetError(f"{name} has no sensor {sensor.name}; it has {', '.join(by_name)}")
        bands = images.sensor.positions(sensor.band_names)
        shape = (len(images.sensor.bands), images.side, images.side)
        pixels = np.empty((len(rows), len(bands), *shape[1:]), dtype=images.sensor.dtype)
        for i, row in enumerate(rows):
            image = images.read(int(row))
            if image.shape != shape:
                raise DatasetError(
                    f"{images.described(int(row))} is of shape {image.shape} (bands, y, x), "
                    f"images of {name} are {shape}: get the file again"
                )
            pixels[i] = image[bands]
        return pixels

    return read
