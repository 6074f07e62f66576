"""A scene to patches, one row of cells after the other, so that a scene need not fit in memory."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import dask
import numpy as np
import rasterio
from dask.system import CPU_COUNT
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from jepa_core.archive.scene import ArchiveError, Fault, ReadyPatch, Scene
from jepa_core.footprint import Block, blocks_of
from jepa_core.grid import Cell, Grid
from jepa_core.radar.band import RadarBand
from jepa_core.radar.band import open_view as open_radar_view
from jepa_core.sensors import Sensor
from jepa_core.views import BandView, check_band_name, open_class_view, open_raster_view, opened

CLOUD_CLASSES = (8, 9, 10)
"""Scene classes that hide the ground: clouds of medium and high probability, thin cirrus."""

_AT_ONCE = 32
"""Ready-cut patches read in parallel."""

_PLACE_TOLERANCE_M = 0.5
"""How far a ready-cut raster may lie from where its metadata say."""


@dataclass(frozen=True)
class CutConfig:
    """Settings of the cutting."""

    grid: Grid = field(default_factory=Grid)
    """Where cells lie."""

    min_valid_fraction: float = 0.05
    """A cell with less of the scene in it makes no patch."""

    max_cloud_fraction: float = 1.0
    """A cell with more cloud makes no patch on disk; where no classes are known, it does."""


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

    cloud_fraction: float = float("nan")
    """Share of the valid pixels that are cloud; NaN where nothing says."""

    labels: tuple[str, ...] = ()
    """Class names, where a set brings them."""

    split: str | None = None
    """Part that a set puts it in."""

    partner: str | None = None
    """Patch that a set pairs it with."""


Progress = Callable[[int, int], None]
"""Told after each row of cells: rows done, rows in all."""


def cut(
    scene: Scene, config: CutConfig, faults: list[Fault], progress: Progress = lambda done, of: None
) -> Iterator[CutPatch]:
    """Patches of a scene: those that it brings, and those that its rasters are cut into.

    Args:
        scene: the scene.
        config: settings.
        faults: gets the ready-cut patches that cannot be read; the others stand.
        progress: is told how far the cutting is.

    Raises:
        ArchiveError: a raster of the scene cannot be read, or does not lie or measure as it claims.
    """
    try:
        yield from _ready(scene, config, faults)
        yield from _whole(scene, config, progress)
    except (ArchiveError, MemoryError):
        raise
    except Exception as error:
        # Whatever a reader trips over in one scene, it is that scene's: thousands of others wait behind it.
        raise ArchiveError(f"{scene.id} cannot be cut: {type(error).__name__}: {error}") from error


def _ready(scene: Scene, config: CutConfig, faults: list[Fault]) -> Iterator[CutPatch]:
    for start in range(0, len(scene.patches), _AT_ONCE):
        batch = scene.patches[start : start + _AT_ONCE]
        # Threads suffice: rasterio lets go of the interpreter while GDAL reads and decodes.
        read = dask.compute(
            *(dask.delayed(_ready_or_fault)(p, scene.sensor, config.grid) for p in batch), scheduler="threads"
        )
        for patch, pixels in zip(batch, read, strict=True):
            if isinstance(pixels, Fault):
                faults.append(pixels)
                continue
            valid = float(valid_mask(pixels, scene.sensor).mean())
            yield CutPatch(
                patch.name, patch.cell, pixels, valid, float("nan"), patch.labels, patch.split, patch.partner
            )


def _whole(scene: Scene, config: CutConfig, progress: Progress) -> Iterator[CutPatch]:
    if not scene.rasters:
        return
    blocks = blocks_of(scene, config.grid)
    total, done = sum(len(block.rows) for block in blocks), 0
    for block in blocks:
        for patches in _cut_block(scene, block, config):
            yield from patches
            done += 1
            progress(done, total)


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


def _ready_or_fault(patch: ReadyPatch, sensor: Sensor, grid: Grid) -> np.ndarray | Fault:
    try:
        return _read_ready(patch, sensor, grid)
    except ArchiveError as error:
        return Fault(patch.name, str(error))


def _read_ready(patch: ReadyPatch, sensor: Sensor, grid: Grid) -> np.ndarray:
    """One ready-cut patch at the grid's resolution; coarser bands are interpolated bilinearly within the patch."""
    side = grid.patch_pixels
    if abs(patch.cell.xmax - patch.cell.xmin - grid.side_m) > _PLACE_TOLERANCE_M:
        raise ArchiveError(
            f"{patch.name} is {patch.cell.xmax - patch.cell.xmin:.0f} m wide, cells are set to {grid.side_m:.0f} m: "
            "set the number of pixels to the set's own"
        )
    place = (patch.cell.xmin, patch.cell.ymin, patch.cell.xmax, patch.cell.ymax)
    pixels = np.empty((len(sensor.bands), side, side), dtype=sensor.dtype)
    for i, band in enumerate(sensor.band_names):
        path = patch.bands[band]
        try:
            with rasterio.open(path) as file:
                placed = np.allclose(file.bounds, place, atol=_PLACE_TOLERANCE_M)
                if not placed or file.crs is None or file.crs.to_epsg() != patch.cell.epsg:
                    raise ArchiveError(f"{path} lies at {file.crs} {tuple(file.bounds)}, its metadata say {patch.cell}")
                # A band at 10 m already has this size and is taken as it is.
                pixels[i] = file.read(1, out_shape=(side, side), resampling=Resampling.bilinear)
        except (RasterioError, UnicodeEncodeError) as error:
            raise ArchiveError(f"{path} cannot be read as a raster: {error}") from error
    return pixels


def _cut_block(scene: Scene, block: Block, config: CutConfig) -> Iterator[list[CutPatch]]:
    """Patches of each row of cells of one zone."""
    sensor, grid = scene.sensor, config.grid
    with ExitStack() as stack:
        views: list[BandView] = [_view(scene, band, block, stack) for band in sensor.band_names]
        if scene.classes is not None:
            views.append(stack.enter_context(open_class_view(scene.classes, block.frame)))
        # Its own pool, left before the rasters are closed: where one read fails, another may still be under way.
        pool = stack.enter_context(ThreadPoolExecutor(CPU_COUNT))
        for row, cells in enumerate(block.rows):
            first = row * grid.stride_pixels
            read = [dask.delayed(view.read)(first, grid.patch_pixels) for view in views] if cells else []
            strips = dask.compute(*read, scheduler="threads", pool=pool)
            yield [
                patch
                for column, cell in cells
                if (patch := _patch(scene, cell, strips, column * grid.stride_pixels, config)) is not None
            ]


def _view(scene: Scene, band: str, block: Block, stack: ExitStack) -> BandView:
    raster = scene.rasters[band]
    if isinstance(raster, RadarBand):
        return stack.enter_context(open_radar_view(raster, block.frame))
    with opened(raster) as file:
        check_band_name(file, raster, band)
    return stack.enter_context(open_raster_view(raster, block.frame, scene.sensor))


def _patch(scene: Scene, cell: Cell, strips: tuple[np.ndarray, ...], left: int, config: CutConfig) -> CutPatch | None:
    """The patch of a cell, from strips of the bands (and of the classes behind them); None where it is not wanted."""
    sensor, side = scene.sensor, config.grid.patch_pixels
    bands = np.stack([strip[:, left : left + side] for strip in strips[: len(sensor.bands)]])
    measured = np.isfinite(bands).all(axis=0)
    valid = float(measured.mean())
    if valid < config.min_valid_fraction or valid == 0:
        return None
    cloud = float("nan")
    if scene.classes is not None:
        classes = strips[-1][:, left : left + side]
        cloud = float(np.isin(classes[measured], CLOUD_CLASSES).mean())
    return CutPatch(f"{scene.id}_{cell.id}", cell, _stored(bands, sensor), valid, cloud)


def _stored(values: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Values in the sensor's dtype, with its own mark where they are missing."""
    if sensor.nodata is None:
        return values.astype(sensor.dtype)
    highest = np.iinfo(sensor.dtype).max
    whole: np.ndarray = np.nan_to_num(np.clip(np.rint(values), 0, highest), nan=sensor.nodata)
    return whole.astype(sensor.dtype)
