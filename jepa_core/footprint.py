"""Which cells a scene covers, zone by zone."""

from dataclasses import dataclass

import numpy as np
from rasterio.io import DatasetReader

from jepa_core.archive.scene import ArchiveError, Scene
from jepa_core.grid import Cell, Frame, Grid
from jepa_core.radar.band import RadarBand
from jepa_core.views import opened, pixel_m
from jepa_core.zones import LonLat, from_lon_lat, is_utm, to_lon_lat, zones_of

_EDGE_POINTS = 64
"""Points along each edge of a raster: enough that a bent edge bulges by metres only between two."""

_WIDEST_DEGREES = 12.0
"""No product reaches farther from the middle of its own zone."""


@dataclass(frozen=True)
class Block:
    """Cells of one zone that a scene covers."""

    frame: Frame
    """Pixels that hold them all."""

    rows: list[list[tuple[int, Cell]]]
    """Cells of each row from north to south, each with its column in the frame, counted in strides."""


@dataclass(frozen=True)
class _Outline:
    """Edge of one band."""

    places: LonLat
    """Points along it."""

    epsg: int | None
    """Zone that the band lies in as it is; None where it lies in none."""

    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top in that zone, metres; without meaning where there is none."""


def blocks_of(scene: Scene, grid: Grid) -> list[Block]:
    """Cells that a scene covers: those whose middle belongs to the zone, in each zone that it reaches into.

    So a place is in the cells of one zone, whichever scene, date and sensor; but along a border, where the lattices of
    two zones do not fit each other, a strip narrower than a cell is in cells of both, or of neither.

    Raises:
        ArchiveError: a band lies nowhere on Earth or beyond the zones, or the bands cover no common ground.
    """
    outlines = [_outline(scene, band) for band in scene.sensor.band_names]
    places = outlines[0].places
    zones = sorted(set(zones_of(*places).tolist()) - {0})
    if not zones:
        raise ArchiveError(f"{scene.id} lies beyond the UTM zones, which end at 84 degrees north and 80 degrees south")
    blocks = [block for epsg in zones if (block := _block(epsg, outlines, grid)) is not None]
    if not blocks:
        raise ArchiveError(f"the bands of {scene.id} cover no common ground")
    return blocks


def _outline(scene: Scene, band: str) -> _Outline:
    raster = scene.rasters[band]
    if isinstance(raster, RadarBand):
        return _Outline(raster.outline(), None, (0, 0, 0, 0))
    with opened(raster) as file:
        pixel_m(file)
        epsg = file.crs.to_epsg()
        if scene.epsg is not None and epsg != scene.epsg:
            raise ArchiveError(f"{raster.address} lies in {file.crs}, its metadata say EPSG:{scene.epsg}")
        places = to_lon_lat(file.crs, *_edge(file), raster.address)
        if is_utm(epsg):
            _check_near_zone(places, epsg, raster.address)
            return _Outline(places, epsg, tuple(file.bounds))
        return _Outline(places, None, (0, 0, 0, 0))


def _edge(file: DatasetReader) -> tuple[np.ndarray, np.ndarray]:
    along = np.linspace(0, 1, _EDGE_POINTS)
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = np.concatenate([along, one, along, zero]) * file.width
    rows = np.concatenate([zero, along, one, along]) * file.height
    step = file.transform
    return step.a * columns + step.b * rows + step.c, step.d * columns + step.e * rows + step.f


def _check_near_zone(places: LonLat, epsg: int, name: str) -> None:
    middle = 6 * (epsg % 100) - 183
    off = np.abs((places[0] - middle + 180) % 360 - 180)
    # Near the poles a tile spans many degrees and few metres.
    if (off * np.cos(np.radians(places[1])) > _WIDEST_DEGREES).any():
        raise ArchiveError(
            f"{name} lies far outside the zone EPSG:{epsg}: its coordinate reference system must be wrong"
        )


def _block(epsg: int, outlines: list[_Outline], grid: Grid) -> Block | None:
    boxes = [_bounds(outline, epsg) for outline in outlines]
    left, bottom = max(box[0] for box in boxes), max(box[1] for box in boxes)
    right, top = min(box[2] for box in boxes), min(box[3] for box in boxes)
    if left >= right or bottom >= top:
        return None
    cells = grid.cells_within(epsg, (left, bottom, right, top))
    own = _own(epsg, cells)
    if not own.any():
        return None
    first, last = np.flatnonzero(own.any(axis=1))[[0, -1]]
    west, east = np.flatnonzero(own.any(axis=0))[[0, -1]]
    corner = cells[first][west]
    frame = Frame(
        epsg=epsg,
        left=corner.xmin,
        top=corner.ymax,
        width=int(east - west) * grid.stride_pixels + grid.patch_pixels,
        height=int(last - first) * grid.stride_pixels + grid.patch_pixels,
        resolution_m=grid.resolution_m,
    )
    rows = [[(int(j - west), cells[i][j]) for j in np.flatnonzero(own[i])] for i in range(first, last + 1)]
    return Block(frame, rows)


def _bounds(outline: _Outline, epsg: int) -> tuple[float, float, float, float]:
    if outline.epsg == epsg:
        return outline.bounds
    xs, ys = from_lon_lat(epsg, outline.places)
    return float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())


def _own(epsg: int, cells: list[list[Cell]]) -> np.ndarray:
    """Booleans of the cells' shape: whether a cell's middle belongs to the zone."""
    xs = np.array([(cell.xmin + cell.xmax) / 2 for row in cells for cell in row])
    ys = np.array([(cell.ymin + cell.ymax) / 2 for row in cells for cell in row])
    own = zones_of(*to_lon_lat(f"EPSG:{epsg}", xs, ys, f"EPSG:{epsg}")) == epsg
    return np.asarray(own.reshape(len(cells), -1))
