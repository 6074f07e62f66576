"""Cells: the squares on the ground that patches cover."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_TILE_SNAP_M = 60
"""Tile corners lie on multiples of the coarsest band's pixel."""


@dataclass(frozen=True)
class Cell:
    """A square on the ground, in the metres of one UTM zone."""

    epsg: int
    """EPSG code of the coordinate reference system."""

    xmin: float
    """West edge, metres."""

    ymin: float
    """South edge, metres."""

    xmax: float
    """East edge, metres."""

    ymax: float
    """North edge, metres."""

    @property
    def id(self) -> str:
        """Text that two patches share exactly when they cover the same square."""
        return f"{self.epsg}-{self.xmin:.0f}-{self.ymax:.0f}-{self.xmax - self.xmin:.0f}"


def centres(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    """Longitude and latitude of each cell's middle, degrees (WGS 84), longitude in -180 to 180."""
    from rasterio.warp import transform

    places: list[tuple[float, float]] = [(math.nan, math.nan)] * len(cells)
    by_zone: dict[int, list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        by_zone[cell.epsg].append(i)
    for epsg, members in by_zone.items():
        xs = [(cells[i].xmin + cells[i].xmax) / 2 for i in members]
        ys = [(cells[i].ymin + cells[i].ymax) / 2 for i in members]
        longitudes, latitudes = transform(f"EPSG:{epsg}", "EPSG:4326", xs, ys)
        for i, longitude, latitude in zip(members, longitudes, latitudes, strict=True):
            places[i] = ((float(longitude) + 180) % 360 - 180, float(latitude))
    return places


@dataclass(frozen=True)
class Grid:
    """The global grid of cells: the same in every UTM zone, whatever the scene."""

    patch_pixels: int = 120
    """Side of a cell, pixels (BigEarthNet's, and CSMAE's input)."""

    stride_pixels: int = 120
    """From one cell to the next, pixels; less than the side, and cells overlap by the difference."""

    resolution_m: float = 10.0
    """Pixel, metres."""

    @property
    def side_m(self) -> float:
        """Side of a cell, metres."""
        return self.patch_pixels * self.resolution_m

    @property
    def stride_m(self) -> float:
        """From one cell to the next, metres."""
        return self.stride_pixels * self.resolution_m

    def cells_within(self, epsg: int, bounds: tuple[float, float, float, float]) -> list[list[Cell]]:
        """Cells of a zone that meet a rectangle, in rows from north to south, each from west to east.

        West and south edges lie on whole multiples of the stride, so that any two scenes of a zone share cells.

        Args:
            epsg: of a UTM zone.
            bounds: left, bottom, right, top, metres.
        """
        side, stride = self.side_m, self.stride_m
        left, bottom, right, top = bounds
        columns = range(math.floor((left - side) / stride) + 1, math.ceil(right / stride))
        rows = range(math.ceil(top / stride) - 1, math.floor((bottom - side) / stride), -1)
        return [
            [Cell(epsg, c * stride, r * stride, c * stride + side, r * stride + side) for c in columns] for r in rows
        ]


@dataclass(frozen=True)
class Frame:
    """Pixels of a UTM zone that a scene is brought to, north up."""

    epsg: int
    """Of the zone."""

    left: float
    """West edge, metres."""

    top: float
    """North edge, metres."""

    width: int
    """Columns."""

    height: int
    """Rows."""

    resolution_m: float
    """Pixel, metres."""


def sentinel2_tile_corner(tile: str) -> tuple[int, float, float]:
    """EPSG code and upper-left corner (x, y in metres) of a Sentinel-2 tile, from its MGRS name.

    The corner is that of the tile's 100 km MGRS square, moved out to the next multiple of 60 m. Only zones
    north of the equator: BigEarthNet has no others.

    Args:
        tile: such as `33UUP`.

    Raises:
        ValueError: not the name of a northern MGRS square.
    """
    match = re.fullmatch(r"(\d{2})([N-X])([A-HJ-NP-Z])([A-HJ-NP-V])", tile)
    if match is None or not 1 <= int(match[1]) <= 60:
        raise ValueError(f"{tile!r} is not the name of a Sentinel-2 tile north of the equator")
    zone, latitude_band, column, row = int(match[1]), match[2], match[3], match[4]

    # Columns run A-Z without I and O in sets of eight zones apart; rows A-V, shifted by five in even zones.
    columns = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    if column not in columns:
        raise ValueError(f"{tile!r}: zone {zone} has no column {column}")
    easting = (columns.index(column) + 1) * 100_000

    rows = "ABCDEFGHJKLMNPQRSTUV"
    shift = 5 if zone % 2 == 0 else 0
    northing_in_cycle = (rows.index(row) - shift) % 20 * 100_000
    # Rows repeat each 2,000 km: take the repetition that lies in the latitude band (8 degrees each, N from 0).
    south_edge = "NPQRSTUVWX".index(latitude_band) * 8.0
    south_northing = 0.9996 * 110_574.0 * south_edge
    cycles = math.ceil((south_northing - 100_000 - northing_in_cycle) / 2_000_000)
    northing = northing_in_cycle + max(cycles, 0) * 2_000_000

    x = math.floor(easting / _TILE_SNAP_M) * _TILE_SNAP_M
    y = math.ceil((northing + 100_000) / _TILE_SNAP_M) * _TILE_SNAP_M
    return 32600 + zone, float(x), float(y)
