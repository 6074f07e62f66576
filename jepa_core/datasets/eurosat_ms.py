"""EuroSAT with all 13 bands of Sentinel-2 at level 1C, 64 x 64 pixels of 10 m (see `eurosat`).

The paper lists the bands by wavelength, but the files hold B8A last: B01 to B08, B09, B10, B11, B12, B8A (established
by users of the set: torchgeo, issue 2458). Here they come by wavelength, as in all sensors of this project.
"""

from pathlib import Path

import numpy as np

from jepa_core.datasets.eurosat import CLASS_COUNTS, SIDE, Expected, find_images, labelled
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.rasters import SENTINEL2_L1C, decode_bands
from jepa_core.datasets.reading import Images

PUBLISHED = Expected(CLASS_COUNTS, md5="091174add3c8e680a49244acf185b9f0")
"""The archive as published; the checksum is that of its record at the doi."""

FILE_BANDS = (*(name for name in SENTINEL2_L1C.band_names if name != "B8A"), "B8A")
"""Order of the bands in the files."""


def open_eurosat_ms(root: Path, expected: Expected = PUBLISHED) -> LabelledSet:
    """The set in a zip file or an unpacked folder.

    Args:
        root: `EuroSAT_MS.zip`, or a folder with the class folders anywhere below.
        expected: numbers of images and checksum.

    Raises:
        DatasetError: files are missing or the archive cannot be read.
    """
    images = find_images(root, ".tif", expected, _decode)
    # By size, not by checksum: a folder of 3 GB is not read to be opened.
    sensors = [Images(SENTINEL2_L1C, SIDE, images.read, images.described)]
    return labelled("eurosat-ms", images, sensors, stamp=images.files.size)


def _decode(data: bytes, described: str) -> np.ndarray:
    return decode_bands(data, described, SENTINEL2_L1C, FILE_BANDS)
