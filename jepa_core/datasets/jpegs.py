"""Pictures of three bytes a pixel: their sensor, and JPEG to pixels."""

import io

import numpy as np
from PIL import Image

from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.sensors import Band, Sensor


def byte_band(name: str, resolution_m: float) -> Band:
    """A band of 8-bit counts, which may be all dark or all bright."""
    return Band(name, resolution_m, unit="count", mean_range=(0.0, 255.0))


def rgb_sensor(resolution_m: float) -> Sensor:
    """Red, green and blue of a picture; no count marks a missing measurement."""
    bands = tuple(byte_band(name, resolution_m) for name in ("red", "green", "blue"))
    return Sensor(name="optical_rgb", short="rgb", bands=bands, nodata=None, dtype="uint8")


def decode_rgb(data: bytes, described: str) -> np.ndarray:
    """Pixels of a picture in any format that pillow reads.

    Args:
        data: content of the file.
        described: the file as a message names it.

    Returns:
        (3, y, x) uint8.

    Raises:
        DatasetError: it is no picture, or cut short.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
    # Pillow has no base of its errors: damaged files raise these and whatever a decoder trips over.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{described} is no readable picture ({error}): get the file again") from error
