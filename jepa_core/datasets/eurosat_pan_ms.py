"""EuroSAT as two sensors of one satellite: a fine grey picture and a coarse coloured one, made of the same pixels.

A stand-in for sets like DSRSID, whose panchromatic and multispectral images are of one satellite: `pan` is the
luminance at 64 x 64 (ITU-R BT.601: 0.299 red, 0.587 green, 0.114 blue), `ms` is red, green and blue averaged over
4 x 4 pixels to 16 x 16. Both are rounded to 8 bit. Rows, labels and split are those of EuroSAT RGB.
"""

from pathlib import Path

import numpy as np

from jepa_core.datasets.eurosat import SIDE, Expected, find_images, labelled
from jepa_core.datasets.eurosat_rgb import PUBLISHED, SENSOR
from jepa_core.datasets.jpegs import byte_band, decode_rgb
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.reading import Images
from jepa_core.sensors import Sensor

_COARSER = 4
"""Pixels of the picture along a side of one of `ms`."""

_RESOLUTION_M = SENSOR.bands[0].resolution_m

PAN = Sensor("pan", "pan", bands=(byte_band("PAN", _RESOLUTION_M),), nodata=None, dtype="uint8")

MS = Sensor(
    "ms",
    "ms",
    bands=tuple(byte_band(name, _RESOLUTION_M * _COARSER) for name in SENSOR.band_names),
    nodata=None,
    dtype="uint8",
)

_DERIVED = "both sensors are derived from the same pixels: figures across sensors are flattering"


def open_eurosat_pan_ms(root: Path, expected: Expected = PUBLISHED) -> LabelledSet:
    """The set in EuroSAT's zip file or unpacked folder.

    Args:
        root: `EuroSAT_RGB.zip`, or a folder with the class folders anywhere below.
        expected: numbers of images and checksum.

    Raises:
        DatasetError: files are missing or the archive cannot be read.
    """
    images = find_images(root, ".jpg", expected, decode_rgb)
    sensors = (
        Images(PAN, SIDE, lambda row: luminance(images.read(row)), images.described),
        Images(MS, SIDE // _COARSER, lambda row: averaged(images.read(row)), images.described),
    )
    return labelled("eurosat-pan-ms", images, sensors, stamp=images.files.crc, notes=(_DERIVED,))


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Grey (1, y, x) of a picture (3, y, x), both uint8; halves are rounded up."""
    red, green, blue = rgb.astype(np.uint32)
    grey = (299 * red + 587 * green + 114 * blue + 500) // 1000
    return np.asarray(grey[None], dtype=np.uint8)


def averaged(rgb: np.ndarray) -> np.ndarray:
    """Means (3, y / 4, x / 4) of a picture (3, y, x), both uint8; halves are rounded up."""
    bands, height, width = rgb.shape
    total = np.zeros((bands, height // _COARSER, width // _COARSER), dtype=np.uint16)
    # By slices: numpy's sums over two short axes take eight times as long.
    for y in range(_COARSER):
        for x in range(_COARSER):
            total += rgb[:, y::_COARSER, x::_COARSER]
    pixels = _COARSER * _COARSER
    return np.asarray((total + pixels // 2) // pixels, dtype=np.uint8)
