"""A scene to patches, one row of cells after the other, so that a scene need not fit in memory."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import dask
import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window

from jepa_core.archive.scene import ArchiveError, BandRaster, ReadyPatch, Scene
from jepa_core.grid import PATCH_PIXELS, RESOLUTION_M, Cell, cells_within
from jepa_core.sensors import Sensor

MIN_VALID_FRACTION = 0.05
"""A cell with less of the scene in it makes no patch."""

_AT_ONCE = 32
"""Ready-cut patches read in parallel."""

_PLACE_TOLERANCE_M = 0.5
"""How far a ready-cut raster may lie from where its metadata say."""


@dataclass(frozen=True)
class CutPatch:
    """One patch, its pixels in the sensor's unit."""

    name: str
    """Becomes the patch id."""

    cell: Cell
    """The square it covers."""

    pixels: np.ndarray
    """(bands, y, x) in the sensor's dtype and band order."""

    valid_fraction: float
    """Share of pixels that all bands measured."""

    labels: tuple[str, ...] = ()
    """Class names, where a set brings them."""

    split: str | None = None
    """Part that a set puts it in."""

    partner: str | None = None
    """Patch that a set pairs it with."""


def cut(scene: Scene) -> Iterator[CutPatch]:
    """Patches of a scene: those that it brings, and those that its rasters are cut into.

    Raises:
        ArchiveError: a raster cannot be read, or does not lie or measure as it claims.
    """
    for start in range(0, len(scene.patches), _AT_ONCE):
        batch = scene.patches[start : start + _AT_ONCE]
        # Threads suffice: rasterio lets go of the interpreter while GDAL reads and decodes.
        read = dask.compute(*(dask.delayed(_read_ready)(p, scene.sensor) for p in batch), scheduler="threads")
        for patch, pixels in zip(batch, read, strict=True):
            valid = float(valid_mask(pixels, scene.sensor).mean())
            yield CutPatch(patch.name, patch.cell, pixels, valid, patch.labels, patch.split, patch.partner)
    if scene.rasters:
        yield from _cut_rasters(scene)


def valid_mask(pixels: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Where all bands hold a measurement. Level-2A has no measured value of 0: water, too, is at least 1.

    Args:
        pixels: (..., bands, y, x) in the sensor's unit.
        sensor: the sensor, whose `nodata` marks what is missing.

    Returns:
        Booleans of shape (..., y, x).
    """
    present = np.isfinite(pixels) if sensor.nodata is None else pixels != sensor.nodata
    return np.asarray(present.all(axis=-3))


def _read_ready(patch: ReadyPatch, sensor: Sensor) -> np.ndarray:
    """One ready-cut patch at 10 m; coarser bands are interpolated bilinearly within the patch."""
    side = PATCH_PIXELS
    if abs(patch.cell.xmax - patch.cell.xmin - side * RESOLUTION_M) > _PLACE_TOLERANCE_M:
        raise ArchiveError(
            f"{patch.name} is {patch.cell.xmax - patch.cell.xmin:.0f} m wide; "
            f"only patches of {side * RESOLUTION_M:.0f} m are read"
        )
    place = (patch.cell.xmin, patch.cell.ymin, patch.cell.xmax, patch.cell.ymax)
    pixels = np.empty((len(sensor.bands), side, side), dtype=sensor.dtype)
    for i, band in enumerate(sensor.band_names):
        path = patch.bands[band].path
        try:
            with rasterio.open(path) as file:
                placed = np.allclose(file.bounds, place, atol=_PLACE_TOLERANCE_M)
                if not placed or file.crs is None or file.crs.to_epsg() != patch.cell.epsg:
                    raise ArchiveError(f"{path} lies at {file.crs} {tuple(file.bounds)}, its metadata say {patch.cell}")
                # A band at 10 m already has this size and is taken as it is.
                pixels[i] = file.read(1, out_shape=(side, side), resampling=Resampling.bilinear)
        except RasterioError as error:
            raise ArchiveError(f"{path} cannot be read as a raster: {error}") from error
    return pixels


def _cut_rasters(scene: Scene) -> Iterator[CutPatch]:
    sensor = scene.sensor
    with ExitStack() as stack:
        files = {band: _opened(raster, stack) for band, raster in scene.rasters.items()}
        epsg, bounds = _extent(files)
        rows = cells_within(epsg, bounds)
        left, top = rows[0][0].xmin, rows[0][0].ymax
        width, height = PATCH_PIXELS * len(rows[0]), PATCH_PIXELS * len(rows)
        views = {
            # Only where zone or pixel grid differ does this interpolate: on the same grid bilinear weights are 1 and 0.
            band: stack.enter_context(
                WarpedVRT(
                    file,
                    crs=f"EPSG:{epsg}",
                    transform=from_origin(left, top, RESOLUTION_M, RESOLUTION_M),
                    width=width,
                    height=height,
                    resampling=Resampling.bilinear,
                    src_nodata=_missing(file, scene.rasters[band], sensor),
                    nodata=_missing(file, scene.rasters[band], sensor),
                )
            )
            for band, file in files.items()
        }
        for row, cells in enumerate(rows):
            window = Window(0, row * PATCH_PIXELS, width, PATCH_PIXELS)
            strip = np.stack([_strip(views[b], scene.rasters[b], sensor, window) for b in sensor.band_names])
            for column, cell in enumerate(cells):
                pixels = strip[:, :, column * PATCH_PIXELS : (column + 1) * PATCH_PIXELS]
                valid = float(valid_mask(pixels, sensor).mean())
                if valid >= MIN_VALID_FRACTION:
                    yield CutPatch(f"{scene.id}_{cell.id}", cell, pixels.copy(), valid)


def _opened(raster: BandRaster, stack: ExitStack) -> DatasetReader:
    path = raster.file.path
    try:
        file = stack.enter_context(rasterio.open(path))
    except RasterioError as error:
        raise ArchiveError(f"{path} cannot be read as a raster: {error}") from error
    if not 1 <= raster.number <= file.count:
        raise ArchiveError(f"{path} has {file.count} bands; the table asks for number {raster.number}")
    if file.crs is None:
        raise ArchiveError(f"{path} has no coordinate reference system")
    return file


def _extent(files: dict[str, DatasetReader]) -> tuple[int, tuple[float, float, float, float]]:
    """UTM zone of the scene, and the rectangle that all bands cover in it."""
    first = next(iter(files.values()))
    epsg = first.crs.to_epsg()
    if epsg is None or not (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760):
        middle = ((first.bounds.left + first.bounds.right) / 2, (first.bounds.bottom + first.bounds.top) / 2)
        (lon,), (lat,) = transform(first.crs, "EPSG:4326", [middle[0]], [middle[1]])
        epsg = (32600 if lat >= 0 else 32700) + min(int((lon + 180) // 6) + 1, 60)
    utm = CRS.from_epsg(epsg)
    boxes = [
        file.bounds if file.crs == utm else transform_bounds(file.crs, utm, *file.bounds) for file in files.values()
    ]
    left, bottom = max(box[0] for box in boxes), max(box[1] for box in boxes)
    right, top = min(box[2] for box in boxes), min(box[3] for box in boxes)
    if left >= right or bottom >= top:
        raise ArchiveError(f"the bands of {first.name} and its companions cover no common ground")
    return epsg, (left, bottom, right, top)


def _missing(file: DatasetReader, raster: BandRaster, sensor: Sensor) -> float:
    """What marks a missing value in the raster: the table's word, else the file's tag, else the sensor's habit."""
    for said in (raster.nodata, file.nodata, sensor.nodata):
        if said is not None:
            return float(said)
    return float("nan")


def _strip(view: WarpedVRT, raster: BandRaster, sensor: Sensor, window: Window) -> np.ndarray:
    """A band's values in a window, in the sensor's unit and dtype, with its own mark where they are missing."""
    path = raster.file.path
    try:
        read = view.read(raster.number, window=window, masked=True)
    except RasterioError as error:
        raise ArchiveError(f"{path} cannot be read as a raster: {error}") from error
    values = np.ma.filled(read.astype(np.float64), np.nan)
    unit = sensor.bands[0].unit
    if raster.unit == "reflectance" and unit == "DN":
        values = np.rint(values * 10_000)
    elif raster.unit == "linear" and unit == "dB":
        # Zero power is no measurement: the unmarked fringes of radar scenes.
        values = 10 * np.log10(np.where(values > 0, values, np.nan))
    elif raster.unit != unit:
        raise ArchiveError(f"{path}: values in {raster.unit!r} cannot be made {unit}")
    if sensor.nodata is None:
        return values.astype(sensor.dtype)
    highest = np.iinfo(sensor.dtype).max
    whole: np.ndarray = np.nan_to_num(np.clip(np.rint(values), 0, highest), nan=sensor.nodata)
    return whole.astype(sensor.dtype)
