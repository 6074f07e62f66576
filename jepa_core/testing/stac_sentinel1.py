"""Sentinel-1, terrain corrected (RTC), as catalogues hold it: after Planetary Computer's `sentinel-1-rtc`."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from jepa_core.testing.cog import write_cog
from jepa_core.testing.land_cover import POLARISATIONS
from jepa_core.testing.place import PixelGrid
from jepa_core.testing.sentinel1_product import Sentinel1Product
from jepa_core.testing.sentinel2_pixels import SwathEdge
from jepa_core.testing.stac_item import COG_TYPE, Json, item, position, utc, write_item
from jepa_core.testing.world import World

_RECEIVED = {"VV": "vertical", "VH": "horizontal"}
_NODATA = -32768.0
_LINES = 16_700
"""Of a real slice: they set its duration."""


def write_sentinel1_rtc(
    root: Path,
    world: World,
    *,
    stac_version: str = "1.0.0",
    epsg: int = 32633,
    left: float,
    top: float,
    size_m: float = 12_000.0,
    resolution_m: float = 10.0,
    time: datetime,
    direction: str = "ascending",
    platform: str = "S1A",
    relative_orbit: int = 146,
    decibels: bool = False,
    edge: SwathEdge | None = None,
    raster_m: float | None = None,
) -> Path:
    """Writes one item in a folder of its own, with its rasters.

    Values are the world's sigma nought at pixel centres, called gamma nought: its ground is flat and has no angle.

    Args:
        root: folder that gets the item's folder.
        world: what is seen.
        stac_version: `1.0.0` or `1.1.0`.
        epsg: code of the UTM zone.
        left: west edge, metres.
        top: north edge, metres.
        size_m: side, metres.
        resolution_m: pixel, metres.
        time: of the first line, UTC.
        direction: `ascending` or `descending`.
        platform: `S1A`, `S1B` or `S1C`.
        relative_orbit: 1 to 175.
        decibels: whether values are in dB, and the item says so; linear power otherwise, and it says nothing.
        edge: slanting edge of what was measured; beyond it lies the value that marks missing ones.
        raster_m: pixel of the rasters, where it is not that of the item.

    Returns:
        The item's JSON file.
    """
    product = Sentinel1Product(platform, time, _LINES, direction, relative_orbit, "003.31")
    identity = product.name(0).rsplit("_", 1)[0] + "_rtc"
    said = PixelGrid.square(epsg, left, top, size_m, resolution_m)
    grid = said if raster_m is None else PixelGrid.square(epsg, left, top, size_m, raster_m)
    x, y = grid.centres()
    ground = world.ground(x, y, epsg)
    assets: Json = {}
    for polarisation in POLARISATIONS:
        power = ground.sigma0(polarisation)
        values = (10 * np.log10(power) if decibels else power).astype(np.float32)
        if edge is not None:
            values[~edge.measured("B01", x - left, top - y)] = _NODATA
        href = f"measurement/iw-{polarisation.lower()}.rtc.tiff"
        write_cog(root / identity / href, values, grid, nodata=_NODATA)
        raster: Json = {"nodata": int(_NODATA), "data_type": "float32", "spatial_resolution": resolution_m}
        assets[polarisation.lower()] = {
            "href": href,
            "type": COG_TYPE,
            "title": f"{polarisation}: vertical transmit, {_RECEIVED[polarisation]} receive",
            "description": "Terrain-corrected gamma naught values",
            "raster:bands": [raster | ({"unit": "dB"} if decibels else {})],
            "roles": ["data"],
        }
    content = item(identity, "sentinel-1-rtc", said, _properties(product, said), assets)
    return write_item(root / identity, content, stac_version)


def _properties(product: Sentinel1Product, grid: PixelGrid) -> Json:
    """Fields of the item; it gives the rasters' place here, not at the assets."""
    middle: datetime = product.time + (product.stop - product.time) / 2
    return {
        "datetime": utc(middle - timedelta(microseconds=middle.microsecond % 1000)),
        "start_datetime": utc(product.time),
        "end_datetime": utc(product.stop),
        "platform": f"SENTINEL-{product.platform[1:]}",
        "constellation": "Sentinel-1",
        **position(grid),
        "proj:bbox": list(grid.bounds),
        "sat:orbit_state": product.direction,
        "sat:absolute_orbit": product.absolute_orbit,
        "sat:relative_orbit": product.relative_orbit,
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:polarizations": list(POLARISATIONS),
        "sar:product_type": "GRD",
        "sar:resolution_range": 20,
        "sar:resolution_azimuth": 22,
        "sar:pixel_spacing_range": 10,
        "sar:pixel_spacing_azimuth": 10,
        "sar:looks_equivalent_number": 4.4,
        "sar:observation_direction": "right",
        "s1:processing_level": "1",
        "s1:datatake_id": str(product.datatake),
    }
