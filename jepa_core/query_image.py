"""Image files that people bring as queries, read into the pixels of a patch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from jepa_core.cutting import valid_mask
from jepa_core.errors import JepaError
from jepa_core.grid import Grid
from jepa_core.sensors import Sensor

MIN_VALID_FRACTION = 0.5
"""A query with less to look at finds what is empty, too."""


class QueryImageError(JepaError):
    """A file cannot serve as a query."""


def read_query_image(path: Path, sensor: Sensor, grid: Grid) -> np.ndarray:
    """Pixels of the middle of an image, cut to a patch.

    Args:
        path: a GeoTIFF whose band descriptions name the sensor's bands, or a folder with a raster a band named
            `..._<band>.tif`, as BigEarthNet has. Values in the sensor's unit.
        sensor: the image's sensor.
        grid: of the archive's patches, whose size the query must have.

    Returns:
        (bands, y, x) in the sensor's dtype and band order.

    Raises:
        QueryImageError: no such file, not a raster, a band is missing, or the image is smaller than a patch.
    """
    if path.is_dir():
        sources = _bands_in_folder(path, sensor)
    elif path.exists():
        sources = _bands_in_file(path, sensor)
    else:
        raise QueryImageError(f"there is no file {path}")
    pixels = np.stack([_read_middle(*sources[band], grid) for band in sensor.band_names])
    _check_unit(pixels, sensor, path)
    missing = np.nan if sensor.nodata is None else sensor.nodata
    filled: np.ndarray = np.nan_to_num(pixels, nan=missing).astype(sensor.dtype)
    valid = float(valid_mask(filled, sensor).mean())
    if valid < MIN_VALID_FRACTION:
        raise QueryImageError(f"{path} has {100 * valid:.0f} % valid pixels in its middle; half are needed")
    return filled


def _check_unit(pixels: np.ndarray, sensor: Sensor, path: Path) -> None:
    """Refuses values that are plainly in another unit: a silent mistake gives plausible, wrong hits."""
    unit = sensor.bands[0].unit
    values = pixels[np.isfinite(pixels)]
    if values.size == 0:
        raise QueryImageError(f"{path} holds no finite value")
    if unit == "DN" and (values.min() < 0 or values.max() > 65535):
        raise QueryImageError(f"{path} holds values from {values.min():.4g} to {values.max():.4g}; DN are 0 to 65535")
    if unit == "DN" and 0 < values.max() <= 10:
        raise QueryImageError(f"{path} reaches {values.max():.3g} only: reflectance? DN (x 10,000) is expected")
    if unit == "dB" and values.min() >= 0:
        raise QueryImageError(f"{path} has no negative value: linear power? dB is expected")


def _bands_in_folder(folder: Path, sensor: Sensor) -> Mapping[str, tuple[Path, int]]:
    sources = {}
    for band in sensor.band_names:
        found = sorted(folder.glob(f"*_{band}.tif"))
        if len(found) != 1:
            raise QueryImageError(
                f"{folder} has {len(found)} files named ..._{band}.tif; one is needed for {sensor.name} {band}"
            )
        sources[band] = (found[0], 1)
    return sources


def _bands_in_file(path: Path, sensor: Sensor) -> Mapping[str, tuple[Path, int]]:
    try:
        with rasterio.open(path) as file:
            described = {name: i for i, name in enumerate(file.descriptions, start=1) if name}
    except RasterioError as error:
        raise QueryImageError(f"{path} cannot be read as a raster: {error}") from error
    missing = [band for band in sensor.band_names if band not in described]
    if missing:
        raise QueryImageError(
            f"{path} has no band described as {', '.join(missing)}; its descriptions are "
            f"{', '.join(described) or 'empty'}. Bands are taken by name: write them with "
            "rasterio's `set_band_description` or `gdal_edit.py`."
        )
    return {band: (path, described[band]) for band in sensor.band_names}


def _read_middle(path: Path, band: int, grid: Grid) -> np.ndarray:
    try:
        with rasterio.open(path) as file:
            # Without a CRS in metres the pixel is taken to be the patches'.
            metric = file.crs is not None and file.crs.is_projected
            size = abs(file.res[0]) if metric else grid.resolution_m
            side = grid.side_m / size
            if side > min(file.width, file.height) + 1e-6:
                raise QueryImageError(
                    f"{path} covers {file.width * size:.0f} x {file.height * size:.0f} m; a patch needs "
                    f"{grid.side_m:.0f} m"
                )
            window = Window((file.width - side) / 2, (file.height - side) / 2, side, side)
            pixels = file.read(
                band,
                window=window,
                out_shape=(grid.patch_pixels, grid.patch_pixels),
                resampling=Resampling.bilinear,
                masked=True,
            )
            return np.ma.filled(pixels.astype(np.float64), np.nan)
    except RasterioError as error:
        raise QueryImageError(f"{path} cannot be read as a raster: {error}") from error
