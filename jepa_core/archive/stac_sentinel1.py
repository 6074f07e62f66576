"""Sentinel-1, terrain corrected (RTC), as STAC items."""

from collections.abc import Mapping
from typing import Any

import pystac

from jepa_core.archive import stac_fields
from jepa_core.archive.scene import ArchiveError, BandRaster, Product, Scene
from jepa_core.archive.sentinel1_safe import sentinel1_acquisition
from jepa_core.archive.stac_fields import Locate, stated_band
from jepa_core.sensors import Sensor

# Collections whose documentation, not their items, says what the values are.
_DOCUMENTED_UNITS = {"sentinel-1-rtc": "linear", "opera-l2-rtc-s1": "linear", "OPERA_L2_RTC-S1_V1": "linear"}

_UNITS = {"db": "dB", "decibel": "dB", "decibels": "dB", "linear": "linear", "power": "linear", "1": "linear"}


def sentinel1_scene(item: pystac.Item, sensor: Sensor, locate: Locate, name: str) -> Scene:
    """The item's scene; see `stac_item.read_item`.

    Raises:
        ArchiveError: a band or a time is missing, or nothing says whether its values are in dB.
    """
    rasters = {}
    for band in sensor.band_names:
        stated = stated_band(item, band, name)
        rasters[band] = BandRaster(
            locate(stated.href),
            unit=_unit(item, stated.fields, name),
            number=stated.number,
            scale=stac_fields.scale(stated.fields.get("scale", 1.0), name),
            offset=stac_fields.number(stated.fields.get("offset", 0.0), name),
            nodata=stac_fields.nodata(stated.fields.get("nodata"), None, name),
        )
    properties = item.properties
    return Scene(
        id=item.id,
        sensor=sensor,
        time=stac_fields.time(item, name),
        rasters=rasters,
        epsg=stac_fields.epsg(item),
        product=Product(
            acquisition=sentinel1_acquisition(item.id),
            processed=f"RTC-{properties.get('s1:processing_datetime') or properties.get('updated') or ''}",
            level="RTC",
            orbit_pass=stac_fields.orbit_pass(item, name),
            relative_orbit=stac_fields.relative_orbit(item, name),
        ),
    )


def _unit(item: pystac.Item, stated: Mapping[str, Any], name: str) -> str:
    unit = stated.get("unit")
    if unit is not None:
        if str(unit).lower() not in _UNITS:
            raise ArchiveError(f"{name}: backscatter in {str(unit)[:40]!r} is not read; dB and linear are")
        return _UNITS[str(unit).lower()]
    known = _DOCUMENTED_UNITS.get(str(item.collection_id))
    if known is None:
        raise ArchiveError(
            f"{name} does not say whether its backscatter is in dB or linear (unit of raster:bands), and of the "
            f"collection {str(item.collection_id)[:80]!r} it is not known"
        )
    return known
