"""Where each pixel of a simulated Sentinel-1 image lies: an exact function, and its inverse."""

import math
from dataclasses import dataclass

import numpy as np

from jepa_core.testing.noise import Floats
from jepa_core.testing.place import LONLAT, to_epsg, utm_epsg

HEADING_DEG = {"ascending": -12.0, "descending": -168.0}
"""Direction of flight, clockwise from north; the radar looks to its right."""


@dataclass(frozen=True)
class Swath:
    """An image in ground range: lines along the flight, samples away from it, slightly bent.

    Whole numbers of line and sample are pixel centres.
    """

    epsg: int
    """EPSG code of the UTM zone that it is defined in."""

    x: float
    """Easting of the image's centre, metres."""

    y: float
    """Northing of the image's centre, metres."""

    heading_deg: float
    """Direction of flight, clockwise from grid north."""

    lines: int
    """Rows; time grows with them."""

    samples: int
    """Columns; ground range grows with them."""

    spacing_m: float = 10.0
    """From pixel to pixel, both ways."""

    bend: float = 1e-6
    """Curvature, 1/m: at a distance d along the flight, pixels lie bend * d² farther out; stronger than in nature,
    so that it shows in a small image (at 7.5 km, 56 m)."""

    @classmethod
    def around(cls, longitude: float, latitude: float, direction: str, lines: int, samples: int) -> "Swath":
        """The swath centred on a place, in the UTM zone of that place.

        Args:
            longitude: degrees.
            latitude: degrees.
            direction: `ascending` or `descending`.
            lines: rows.
            samples: columns.
        """
        epsg = utm_epsg(longitude, latitude)
        x, y = to_epsg(np.array([longitude]), np.array([latitude]), LONLAT, epsg)
        return cls(epsg, float(x[0]), float(y[0]), HEADING_DEG[direction], lines, samples)

    def place(self, line: Floats, sample: Floats) -> tuple[Floats, Floats]:
        """Easting and northing of points of the image, metres of its zone.

        Args:
            line: from 0, with fractions, any shape.
            sample: from 0, of a shape that goes with it.
        """
        along = (np.asarray(line, dtype=np.float64) - (self.lines - 1) / 2) * self.spacing_m
        out = (np.asarray(sample, dtype=np.float64) - (self.samples - 1) / 2) * self.spacing_m
        bent_along, bent_out = along + 0.3 * self.bend * out**2, out + self.bend * along**2
        sine, cosine = self._direction
        return self.x + bent_along * sine + bent_out * cosine, self.y + bent_along * cosine - bent_out * sine

    def lonlat(self, line: Floats, sample: Floats) -> tuple[Floats, Floats]:
        """Longitude and latitude of points of the image, degrees; see `place`."""
        return to_epsg(*self.place(line, sample), self.epsg, LONLAT)

    def find(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Line and sample of places, with fractions; the inverse of `place`.

        Args:
            x: easting, metres of the swath's zone, any shape.
            y: northing, of the same shape.
        """
        sine, cosine = self._direction
        east, north = np.asarray(x, dtype=np.float64) - self.x, np.asarray(y, dtype=np.float64) - self.y
        bent_along, bent_out = east * sine + north * cosine, east * cosine - north * sine
        along, out = bent_along, bent_out
        # A contraction: each turn divides the error by some 50 for an image of 20 km.
        for _ in range(20):
            along, out = bent_along - 0.3 * self.bend * out**2, bent_out - self.bend * along**2
        return along / self.spacing_m + (self.lines - 1) / 2, out / self.spacing_m + (self.samples - 1) / 2

    @property
    def _direction(self) -> tuple[float, float]:
        heading = math.radians(self.heading_deg)
        return math.sin(heading), math.cos(heading)
