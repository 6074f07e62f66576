"""GeoTIFFs of several bands: to pixels, by the bands' names; and Sentinel-2 at level 1C, which sets hold that way."""

from collections.abc import Sequence

import numpy as np
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.sensors import SENTINEL2, Band, Sensor

# Cirrus: over clear ground nearly nothing comes back.
_B10 = Band("B10", 60.0, unit="DN", mean_range=(0.5, 20000.0))

_BELOW_B10 = SENTINEL2.positions(["B11"])[0]

SENTINEL2_L1C = Sensor(
    name="sentinel2_l1c",
    short="s2l1c",
    bands=(*SENTINEL2.bands[:_BELOW_B10], _B10, *SENTINEL2.bands[_BELOW_B10:]),
    # Patches of sets are whole, and 0 is what B10 often measures: as a mark it would hide the other bands too.
    nodata=None,
    dtype="uint16",
)
"""All 13 bands, top of the atmosphere, in the order of their wavelengths."""


def decode_bands(
    data: bytes, described: str, sensor: Sensor, order: Sequence[str], side: int | None = None
) -> np.ndarray:
    """Pixels of a GeoTIFF.

    Args:
        data: content of the file.
        described: the file as a message names it.
        sensor: of which the bands are.
        order: names of the file's bands, in the order in which the file has them.
        side: height and width that the image is interpolated to, bilinearly; its own where not given.

    Returns:
        (bands, y, x) in the sensor's band order and dtype.

    Raises:
        DatasetError: it is no raster, damaged, or has another number of bands.
    """
    try:
        with MemoryFile(data) as memory, memory.open() as file:
            if file.count != len(order):
                raise DatasetError(f"{described} has {file.count} bands, not {len(order)}: get the file again")
            bands = [order.index(name) + 1 for name in sensor.band_names]
            shape = (len(bands), *(file.shape if side is None else (side, side)))
            pixels: np.ndarray = file.read(bands, out_shape=shape, resampling=Resampling.bilinear)
    except RasterioError as error:
        raise DatasetError(f"{described} cannot be read as a raster ({error}): get the file again") from error
    if np.issubdtype(sensor.dtype, np.integer) and np.issubdtype(pixels.dtype, np.floating):
        limits = np.iinfo(sensor.dtype)
        pixels = np.nan_to_num(np.clip(np.rint(pixels), limits.min, limits.max), nan=sensor.nodata or 0)
    return pixels.astype(sensor.dtype)
