"""UTM zones: which one a place belongs to, and which ones a scene reaches into."""

import numpy as np
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError
from rasterio.warp import transform

from jepa_core.archive.scene import ArchiveError

_SOUTHMOST, _NORTHMOST = -80.0, 84.0
"""Where UTM ends, degrees."""

LonLat = tuple[np.ndarray, np.ndarray]
"""Longitudes and latitudes of points, degrees (WGS 84)."""


def zones_of(longitudes: np.ndarray, latitudes: np.ndarray) -> np.ndarray:
    """EPSG code of the UTM zone that each place belongs to; 0 beyond the zones (north of 84 and south of 80 degrees).

    With the exceptions of the grid that Sentinel-2 tiles follow: southern Norway belongs to zone 32, Svalbard to the
    odd zones.

    Args:
        longitudes: degrees, any turn of the circle.
        latitudes: degrees.

    Returns:
        int64 of the same shape.
    """
    lon = (np.asarray(longitudes) + 180) % 360 - 180
    lat = np.asarray(latitudes)
    zone = np.clip(np.floor((lon + 180) / 6).astype(int) + 1, 1, 60)
    zone = np.where((lat >= 56) & (lat < 64) & (lon >= 3) & (lon < 12), 32, zone)
    svalbard = (lat >= 72) & (lon >= 0) & (lon < 42)
    zone = np.where(svalbard, 31 + 2 * np.searchsorted([9, 21, 33], lon, side="right"), zone)
    epsg = np.where(lat >= 0, 32600, 32700) + zone
    known = (lat >= _SOUTHMOST) & (lat <= _NORTHMOST) & np.isfinite(lon)
    return np.where(known, epsg, 0).astype(np.int64)


def is_utm(epsg: int | None) -> bool:
    """Whether the code is that of a UTM zone on WGS 84."""
    return epsg is not None and (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760)


def to_lon_lat(crs: object, xs: np.ndarray, ys: np.ndarray, name: str) -> LonLat:
    """Places in a coordinate reference system as longitudes and latitudes.

    Raises:
        ArchiveError: they lie nowhere on Earth: the system is not that of the coordinates.
    """
    try:
        lon, lat = (np.asarray(v) for v in transform(crs, "EPSG:4326", xs.tolist(), ys.tolist()))
    except (CPLE_BaseError, CRSError, ValueError) as error:
        raise ArchiveError(f"{name}: its coordinate reference system cannot be used: {error}") from error
    if not (
        np.isfinite(lon).all() and np.isfinite(lat).all() and (np.abs(lat) <= 90).all() and (np.abs(lon) <= 540).all()
    ):
        raise ArchiveError(
            f"{name} lies nowhere on Earth: its coordinate reference system is not that of its coordinates"
        )
    return lon, lat


def from_lon_lat(epsg: int, places: LonLat) -> tuple[np.ndarray, np.ndarray]:
    """Places in the metres of a zone.

    Raises:
        ArchiveError: they lie where the zone has no coordinates.
    """
    try:
        xs, ys = transform("EPSG:4326", f"EPSG:{epsg}", places[0].tolist(), places[1].tolist())
    except CPLE_BaseError as error:
        raise ArchiveError(f"a scene reaches farther than the zone EPSG:{epsg} has coordinates: {error}") from error
    return np.asarray(xs), np.asarray(ys)
