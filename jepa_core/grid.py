"""Cells: the squares on the ground that patches cover."""

import math
import re
from dataclasses import dataclass

RESOLUTION_M = 10.0
"""Pixel of a patch, metres."""

PATCH_PIXELS = 120
"""Side of a patch, pixels (BigEarthNet's, and CSMAE's input)."""

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

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle, degrees (WGS 84)."""
        from rasterio.warp import transform

        xs, ys = [(self.xmin + self.xmax) / 2], [(self.ymin + self.ymax) / 2]
        longitudes, latitudes = transform(f"EPSG:{self.epsg}", "EPSG:4326", xs, ys)
        return float(longitudes[0]), float(latitudes[0])


def cells_within(epsg: int, bounds: tuple[float, float, float, float]) -> list[list[Cell]]:
    """Cells of the zone's global grid that meet a rectangle, in rows from north to south, each from west to east.

    The grid's corners lie on whole multiples of the cell's side, so that any two scenes of a zone share cells.

    Args:
        epsg: of a UTM zone.
        bounds: left, bottom, right, top, metres.
    """
    side = PATCH_PIXELS * RESOLUTION_M
    left, bottom, right, top = bounds
    columns = range(math.floor(left / side), math.ceil(right / side))
    rows = range(math.ceil(top / side) - 1, math.floor(bottom / side) - 1, -1)
    return [
        [Cell(epsg, column * side, row * side, (column + 1) * side, (row + 1) * side) for column in columns]
        for row in rows
    ]


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
