"""EuroSAT RGB: 27,000 pictures of Sentinel-2, 64 x 64 pixels of 10 m, ten classes of land use (see `eurosat`)."""

from pathlib import Path

from jepa_core.datasets.eurosat import CLASS_COUNTS, SIDE, Expected, find_images, labelled
from jepa_core.datasets.jpegs import decode_rgb, rgb_sensor
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.reading import Images

SENSOR = rgb_sensor(resolution_m=10.0)

PUBLISHED = Expected(CLASS_COUNTS, md5="f46e308c4d50d4bf32fedad2d3d62f3b")
"""The archive as published; the checksum is that of its record at the doi."""


def open_eurosat_rgb(root: Path, expected: Expected = PUBLISHED) -> LabelledSet:
    """The set in a zip file or an unpacked folder.

    Args:
        root: `EuroSAT_RGB.zip`, or a folder with the class folders anywhere below.
        expected: numbers of images and checksum.

    Raises:
        DatasetError: files are missing or the archive cannot be read.
    """
    images = find_images(root, ".jpg", expected, decode_rgb)
    return labelled(
        "eurosat-rgb", images, [Images(SENSOR, SIDE, images.read, images.described)], stamp=images.files.crc
    )
