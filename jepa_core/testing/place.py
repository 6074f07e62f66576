"""Places: pixel centres of north-up rasters, and coordinates from one reference system to another."""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.warp import transform

from jepa_core.testing.noise import Floats

LONLAT = 4326
"""EPSG code of longitude and latitude (x is the longitude), degrees."""


def to_epsg(x: Floats, y: Floats, source: int, target: int) -> tuple[Floats, Floats]:
    """Coordinates in another reference system; the same arrays where it is the same.

    Args:
        x: easting or longitude, any shape.
        y: northing or latitude, of the same shape.
        source: EPSG code that they are in.
        target: EPSG code that they are wanted in.
    """
    x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    if source == target:
        return x, y
    xs, ys = transform(f"EPSG:{source}", f"EPSG:{target}", x.ravel(), y.ravel())
    return np.array(xs).reshape(x.shape), np.array(ys).reshape(y.shape)


def utm_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of the UTM zone of a place (without Norway's and Svalbard's exceptions)."""
    return (32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) % 60 + 1


@dataclass(frozen=True)
class PixelGrid:
    """A north-up raster in one UTM zone."""

    epsg: int
    """EPSG code of the zone."""

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

    @classmethod
    def square(cls, epsg: int, left: float, top: float, size_m: float, resolution_m: float) -> "PixelGrid":
        """The raster of a square of ground.

        Raises:
            ValueError: the side is no whole number of pixels.
        """
        pixels = round(size_m / resolution_m)
        if pixels < 1 or abs(pixels * resolution_m - size_m) > 1e-6:
            raise ValueError(f"{size_m} m are no whole number of pixels of {resolution_m} m")
        return cls(epsg, left, top, pixels, pixels, resolution_m)

    @property
    def transform(self) -> Affine:
        """From (column, row) of a pixel's upper-left corner to metres."""
        return Affine(self.resolution_m, 0.0, self.left, 0.0, -self.resolution_m, self.top)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top, metres."""
        right = self.left + self.width * self.resolution_m
        return self.left, self.top - self.height * self.resolution_m, right, self.top

    def centres(self, first_row: int = 0, rows: int | None = None) -> tuple[Floats, Floats]:
        """Eastings and northings of pixel centres, metres, each `(rows, width)`.

        Args:
            first_row: where to begin.
            rows: how many; all that are left by default.
        """
        last = self.height if rows is None else min(self.height, first_row + rows)
        x = self.left + (np.arange(self.width) + 0.5) * self.resolution_m
        y = self.top - (np.arange(first_row, last) + 0.5) * self.resolution_m
        columns, lines = np.meshgrid(x, y)
        return columns, lines

    def lonlat_corners(self) -> list[tuple[float, float]]:
        """Longitude and latitude of the corners: upper left, lower left, lower right, upper right."""
        left, bottom, right, top = self.bounds
        x, y = np.array([left, left, right, right]), np.array([top, bottom, bottom, top])
        longitudes, latitudes = to_epsg(x, y, self.epsg, LONLAT)
        return [(float(a), float(b)) for a, b in zip(longitudes, latitudes, strict=True)]
