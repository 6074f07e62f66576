"""Sentinel-2 as STAC items: Earth Search (Element 84) and the Planetary Computer (Microsoft)."""

import re
from collections.abc import Mapping
from typing import Any

import pystac

from jepa_core.archive import stac_fields
from jepa_core.archive.scene import ArchiveError, BandRaster, Product, Scene
from jepa_core.archive.sentinel2_safe import OFFSET_SINCE, checked_baseline, datastrip_start, tile_of
from jepa_core.archive.stac_fields import Locate, stated_band
from jepa_core.sensors import Sensor

_REFLECTANCE_OFFSET = -0.1
"""What baselines since 04.00 add to reflectance: -1,000 DN."""


def sentinel2_scene(item: pystac.Item, sensor: Sensor, locate: Locate, name: str) -> Scene:
    """The item's scene; see `stac_item.read_item`.

    Raises:
        ArchiveError: a band or a time is missing, or what is said of its values contradicts itself or does not suffice.
    """
    properties = item.properties
    baseline = str(properties.get("s2:processing_baseline") or "")
    said = str(properties.get("s2:product_type") or item.collection_id)
    level = "L1C" if re.search(r"(?i)(msi|l)1c", said) else "L2A"
    rasters, offset_dn = {}, 0.0
    for band in sensor.band_names:
        stated = stated_band(item, band, name)
        offset = _offset(stated.fields, properties, name)
        rasters[band] = BandRaster(
            locate(stated.href),
            "reflectance",
            number=stated.number,
            scale=stac_fields.scale(stated.fields.get("scale", 1e-4), name),
            offset=offset,
            nodata=stac_fields.nodata(stated.fields.get("nodata"), 0.0, name),
        )
        offset_dn = 10_000 * rasters[sensor.band_names[0]].offset
    processed = properties.get("s2:generation_time") or properties.get("updated") or ""
    return Scene(
        id=item.id,
        sensor=sensor,
        time=stac_fields.time(item, name),
        rasters=rasters,
        epsg=stac_fields.epsg(item),
        classes=_classes(item, locate, name),
        product=Product(
            acquisition=_acquisition(item),
            processed=f"{level}-{baseline}-{processed}",
            level=level,
            baseline=baseline,
            offset_dn=offset_dn,
            orbit_pass=stac_fields.orbit_pass(item, name),
            relative_orbit=stac_fields.relative_orbit(item, name),
        ),
    )


def _offset(stated: Mapping[str, Any], properties: Mapping[str, Any], name: str) -> float:
    """What is added to the reflectance of a band, from what the band, the item and its baseline say."""
    applied = properties.get("earthsearch:boa_offset_applied")
    if applied is not None and not isinstance(applied, bool):
        raise ArchiveError(f"{name}: earthsearch:boa_offset_applied is {str(applied)[:40]!r}, neither true nor false")
    if applied:
        # The catalogue has shifted the pixels; `raster:bands` of such items still state -0.1.
        return 0.0
    baseline = properties.get("s2:processing_baseline")
    meant = None
    if baseline is not None:
        meant = _REFLECTANCE_OFFSET if checked_baseline(str(baseline), name) >= OFFSET_SINCE else 0.0
    if "offset" not in stated:
        if meant is None:
            raise ArchiveError(f"{name} states neither offset nor s2:processing_baseline: its values may be shifted")
        return meant
    said = stac_fields.number(stated["offset"], name)
    if meant is not None and abs(said - meant) > 1e-6:
        raise ArchiveError(f"{name} states an offset of {said:g}, its baseline {baseline} means {meant:g}")
    return said


def _classes(item: pystac.Item, locate: Locate, name: str) -> BandRaster | None:
    keys = [key for key in item.assets if key.upper() == "SCL"]
    if not keys:
        return None
    href = item.assets[keys[0]].href
    if len(keys) > 1 or not isinstance(href, str):
        raise ArchiveError(f"{name} has several assets, or no link, for SCL")
    return BandRaster(locate(href), "class", nodata=0.0)


def _acquisition(item: pystac.Item) -> str:
    """What the acquisition's other processings share, also in SAFE; empty where the item does not say enough."""
    properties = item.properties
    datatake = re.search(r"_(\d{8}T\d{6})_", str(properties.get("s2:datatake_id", "")), re.ASCII)
    platform = re.search(r"2[A-D]$", str(properties.get("platform", "")).upper())
    start = datastrip_start(str(properties.get("s2:datastrip_id", "")))
    try:
        tile = tile_of(str(properties.get("s2:granule_id") or properties.get("s2:product_uri", "")), item.id)
    except ArchiveError:
        return ""
    if datatake is None or platform is None or not start:
        return ""
    return "_".join([f"S{platform[0]}", datatake[1], tile, start])
