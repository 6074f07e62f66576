"""A STAC item to a scene: Sentinel-2 and Sentinel-1 as Earth Search and the Planetary Computer write them.

Sources: STAC 1.0 and 1.1, extensions `raster`, `eo`, `sat`, `processing`; the catalogues' own fields `s2:`, `s1:` and
`earthsearch:`.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pystac

from jepa_core.archive.scene import ArchiveError, BandRaster, Product, Scene
from jepa_core.archive.sentinel1_safe import sentinel1_acquisition
from jepa_core.archive.sentinel2_safe import OFFSET_SINCE, checked_baseline, datastrip_start, tile_of
from jepa_core.archive.times import parse_time
from jepa_core.sensors import SENSORS, SENTINEL1, SENTINEL2, Sensor

Locate = Callable[[str], str]
"""Gives what rasterio opens for an asset's link; raises `ArchiveError` where it leads nowhere."""

# Earth Search names its assets by colour; the Planetary Computer by band, which needs no table.
_COLOURS = {
    "coastal": "B01",
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "rededge1": "B05",
    "rededge2": "B06",
    "rededge3": "B07",
    "nir": "B08",
    "nir08": "B8A",
    "nir09": "B09",
    "swir16": "B11",
    "swir22": "B12",
}

# Collections whose documentation, not their items, says what the values are.
_DOCUMENTED_UNITS = {"sentinel-1-rtc": "linear", "opera-l2-rtc-s1": "linear", "OPERA_L2_RTC-S1_V1": "linear"}

_UNITS = {"db": "dB", "decibel": "dB", "decibels": "dB", "linear": "linear", "power": "linear", "1": "linear"}

_REFLECTANCE_OFFSET = -0.1
"""What baselines since 04.00 add to reflectance: -1,000 DN."""


def sensor_of(item: Mapping[str, Any]) -> Sensor | None:
    """The sensor that an item, perhaps a broken one, is of; None for another mission's."""
    properties = item.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    said = [properties.get("constellation"), properties.get("platform"), item.get("collection"), item.get("id")]
    for text in said:
        for sensor in SENSORS.values():
            mission = sensor.short.upper()
            if isinstance(text, str) and re.match(rf"(?i)(sentinel[-_]?{mission[1]}|{mission}[A-D]?_)", text):
                return sensor
    return None


def read_item(item: Mapping[str, Any], sensor: Sensor, locate: Locate, name: str) -> Scene:
    """The item's scene, its pixels not yet read.

    Args:
        item: the item's JSON.
        sensor: its sensor, with the bands that are wanted.
        locate: finds assets.
        name: of the item's file or address, for messages.

    Raises:
        ArchiveError: it is no valid item, lacks a time, a band's asset or what its values mean.
    """
    try:
        parsed = pystac.Item.from_dict(dict(item))
    except Exception as error:
        # pystac raises whatever its parsing trips over.
        raise ArchiveError(f"{name} is no valid STAC item: {type(error).__name__} {error}") from error
    if not isinstance(parsed.id, str):
        raise ArchiveError(f"{name} is no valid STAC item: its id is {parsed.id!r}")
    for key, asset in parsed.assets.items():
        if not isinstance(asset.href, str):
            raise ArchiveError(f"{name} is no valid STAC item: the link of its asset {key!r} is {asset.href!r}")
    if sensor.name == SENTINEL2.name:
        return _sentinel2(parsed, sensor, locate, name)
    return _sentinel1(parsed, sensor, locate, name)


def _sentinel2(item: pystac.Item, sensor: Sensor, locate: Locate, name: str) -> Scene:
    properties = item.properties
    level = "L1C" if re.search(r"1C", str(properties.get("s2:product_type", item.collection_id))) else "L2A"
    offset = _stated_offset(properties, name)
    rasters, offsets = {}, {}
    for band in sensor.band_names:
        asset = _asset_of(item, band, name)
        stated = _raster_band(asset)
        scale = _number(stated.get("scale", 1e-4), name)
        offsets[band] = _band_offset(stated, offset, properties, name)
        rasters[band] = BandRaster(
            locate(asset.href), "reflectance", scale=scale, offset=offsets[band], nodata=_nodata(stated, 0.0, name)
        )
    classes = next((item.assets[key] for key in ("scl", "SCL") if key in item.assets), None)
    return Scene(
        id=item.id,
        sensor=sensor,
        time=_time(item, name),
        rasters=rasters,
        epsg=_epsg(item),
        classes=None if classes is None else BandRaster(locate(classes.href), "class", nodata=0.0),
        product=Product(
            acquisition=_sentinel2_acquisition(item),
            processed=f"{level}-{properties.get('s2:processing_baseline', '')}-"
            f"{properties.get('s2:generation_time') or properties.get('updated') or ''}",
            level=level,
            baseline=str(properties.get("s2:processing_baseline", "")),
            offset_dn=10_000 * offsets[sensor.band_names[0]],
            orbit_pass=str(properties.get("sat:orbit_state", "")),
            relative_orbit=_whole(properties.get("sat:relative_orbit")),
        ),
    )


def _stated_offset(properties: Mapping[str, Any], name: str) -> float | None:
    """The offset that the item's properties call for; None where its bands have to say."""
    applied = properties.get("earthsearch:boa_offset_applied")
    if applied is True:
        # The pixels were shifted by the catalogue; `raster:bands` of such items still state -0.1.
        return 0.0
    baseline = properties.get("s2:processing_baseline")
    if baseline is None:
        return None
    return _REFLECTANCE_OFFSET if checked_baseline(str(baseline), name) >= OFFSET_SINCE else 0.0


def _band_offset(stated: Mapping[str, Any], offset: float | None, properties: Mapping[str, Any], name: str) -> float:
    if properties.get("earthsearch:boa_offset_applied") is True:
        return 0.0
    if "offset" not in stated:
        if offset is None:
            raise ArchiveError(f"{name} states neither offset nor s2:processing_baseline: its values may be shifted")
        return offset
    said = _number(stated["offset"], name)
    if offset is not None and abs(said - offset) > 1e-6:
        raise ArchiveError(
            f"{name} states an offset of {said:g}, its baseline {properties['s2:processing_baseline']} means {offset:g}"
        )
    return said


def _sentinel2_acquisition(item: pystac.Item) -> str:
    properties = item.properties
    datatake = re.search(r"_(\d{8}T\d{6})_", str(properties.get("s2:datatake_id", "")))
    start = datastrip_start(str(properties.get("s2:datastrip_id", "")))
    try:
        tile = tile_of(str(properties.get("s2:granule_id") or properties.get("s2:product_uri", "")), item.id)
    except ArchiveError:
        return ""
    if datatake is None or not start:
        return ""
    platform = str(properties.get("platform", ""))[-2:].upper()
    return "_".join([f"S{platform}", datatake[1], tile, start])


def _sentinel1(item: pystac.Item, sensor: Sensor, locate: Locate, name: str) -> Scene:
    rasters = {}
    for band in sensor.band_names:
        asset = _asset_of(item, band, name)
        stated = _raster_band(asset)
        rasters[band] = BandRaster(
            locate(asset.href),
            unit=_backscatter_unit(item, stated, name),
            scale=_number(stated.get("scale", 1.0), name),
            offset=_number(stated.get("offset", 0.0), name),
            nodata=_nodata(stated, None, name),
        )
    properties = item.properties
    return Scene(
        id=item.id,
        sensor=sensor,
        time=_time(item, name),
        rasters=rasters,
        epsg=_epsg(item),
        product=Product(
            acquisition=sentinel1_acquisition(item.id),
            processed=f"RTC-{properties.get('s1:processing_datetime') or properties.get('updated') or ''}",
            level="RTC",
            orbit_pass=str(properties.get("sat:orbit_state", "")),
            relative_orbit=_whole(properties.get("sat:relative_orbit")),
        ),
    )


def _backscatter_unit(item: pystac.Item, stated: Mapping[str, Any], name: str) -> str:
    unit = stated.get("unit")
    if unit is not None:
        if str(unit).lower() not in _UNITS:
            raise ArchiveError(f"{name}: backscatter in {unit!r} is not read; dB and linear are")
        return _UNITS[str(unit).lower()]
    if str(item.collection_id) in _DOCUMENTED_UNITS:
        return _DOCUMENTED_UNITS[str(item.collection_id)]
    raise ArchiveError(f"{name} does not say whether its backscatter is in dB or linear (unit of raster:bands)")


def _asset_of(item: pystac.Item, band: str, name: str) -> pystac.Asset:
    """The asset of a band: named so itself, or by colour, or with one band named so inside."""
    keys = [key for key in item.assets if key.upper() == band or _COLOURS.get(key) == band]
    if not keys:
        keys = [key for key, asset in item.assets.items() if _inner_name(asset) == band and "jp2" not in key]
    if len(keys) != 1:
        raise ArchiveError(f"{name} has {'several assets' if keys else 'no asset'} for band {band}")
    asset = item.assets[keys[0]]
    inner = _inner_name(asset)
    if inner in SENTINEL2.band_names + SENTINEL1.band_names and inner != band:
        raise ArchiveError(f"{name}: the asset {keys[0]!r} should be band {band}, but names its band {inner}")
    return asset


def _inner_name(asset: pystac.Asset) -> str:
    bands = asset.extra_fields.get("bands") or asset.extra_fields.get("eo:bands") or []
    if not isinstance(bands, list) or len(bands) != 1 or not isinstance(bands[0], Mapping):
        return ""
    said = str(bands[0].get("name", ""))
    return _COLOURS.get(said, said.upper())


def _raster_band(asset: pystac.Asset) -> Mapping[str, Any]:
    """What the asset says of its one band's values: STAC 1.0 in `raster:bands`, 1.1 in `bands` or the asset itself."""
    fields = asset.extra_fields
    found: dict[str, Any] = {}
    for place in ([fields], fields.get("bands") or [], fields.get("raster:bands") or []):
        if isinstance(place, list) and place and isinstance(place[0], Mapping):
            for key in ("scale", "offset", "unit", "nodata"):
                for spelt in (key, f"raster:{key}"):
                    if place[0].get(spelt) is not None:
                        found[key] = place[0][spelt]
    return found


def _epsg(item: pystac.Item) -> int | None:
    match = re.fullmatch(r"EPSG:(\d{4,5})", str(item.properties.get("proj:code") or ""))
    return int(match[1]) if match else None


def _nodata(stated: Mapping[str, Any], otherwise: float | None, name: str) -> float | None:
    said = stated.get("nodata")
    if said is None:
        return otherwise
    return float("nan") if said == "nan" or said != said else _number(said, name)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ArchiveError(f"{name}: {value!r} is not a number")
    return float(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(item: pystac.Item, name: str) -> datetime:
    time = item.datetime or item.common_metadata.start_datetime
    if time is None:
        raise ArchiveError(f"{name} has neither datetime nor start_datetime")
    return time.astimezone(UTC) if time.tzinfo else parse_time(time.isoformat(), name)
