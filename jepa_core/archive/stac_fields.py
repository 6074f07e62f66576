"""Fields of a STAC item and its assets, each checked as it is read: STAC 1.0 and 1.1."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pystac

from jepa_core.archive.orbits import parse_pass, parse_relative_orbit
from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.times import parse_time
from jepa_core.sensors import SENSORS

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

_BAND_NAMES = frozenset(name for sensor in SENSORS.values() for name in sensor.band_names)


@dataclass(frozen=True)
class StatedBand:
    """What an item says of one band."""

    href: str
    """Link of its asset."""

    number: int
    """Its number in the asset's file, from 1."""

    fields: Mapping[str, Any]
    """`scale`, `offset`, `unit` and `nodata`, where they are said."""


def stated_band(item: pystac.Item, band: str, name: str) -> StatedBand:
    """The band's asset: named so itself, or by colour, or with the band named so inside.

    Args:
        item: the item.
        band: such as `B8A` or `VV`.
        name: of the item, for messages.

    Raises:
        ArchiveError: there is none, or several, or it says that it holds another band.
    """
    keys = [key for key in item.assets if key.upper() == band or _COLOURS.get(key) == band]
    if not keys:
        keys = [key for key, asset in item.assets.items() if band in _names(asset) and "jp2" not in key.lower()]
    if len(keys) != 1:
        raise ArchiveError(f"{name} has {'several assets' if keys else 'no asset'} for band {band}")
    asset = item.assets[keys[0]]
    names = _names(asset)
    if band in names:
        if names.count(band) > 1:
            raise ArchiveError(f"{name}: the asset {keys[0]!r} names its band {band} twice")
        place = names.index(band)
    elif _BAND_NAMES & set(names):
        said = ", ".join(sorted(_BAND_NAMES & set(names)))
        raise ArchiveError(f"{name}: the asset {keys[0]!r} should be band {band}, but names its band {said}")
    elif len(names) > 1:
        raise ArchiveError(f"{name}: the asset {keys[0]!r} holds {len(names)} bands, none of them named {band}")
    else:
        place = 0
    if not isinstance(asset.href, str):
        raise ArchiveError(f"{name}: the link of the asset {keys[0]!r} is no text")
    return StatedBand(asset.href, place + 1, _values(asset, place))


def _entries(asset: pystac.Asset, field: str) -> list[Mapping[str, Any]]:
    said = asset.extra_fields.get(field)
    return [entry if isinstance(entry, Mapping) else {} for entry in said] if isinstance(said, list) else []


def _names(asset: pystac.Asset) -> list[str]:
    """Bands as the asset names them, in the order of its file; empty text where it does not."""
    said = [str(band.get("name") or "") for band in _entries(asset, "bands") or _entries(asset, "eo:bands")]
    return [_COLOURS.get(name, name.upper()) for name in said]


def _values(asset: pystac.Asset, place: int) -> dict[str, Any]:
    """What the asset says of a band's values: 1.0 in `raster:bands`, 1.1 in `bands` or in the asset itself."""
    found: dict[str, Any] = {}
    inner = [_entries(asset, field)[place : place + 1] for field in ("bands", "raster:bands")]
    for entry in (asset.extra_fields, *inner[0], *inner[1]):
        for key in ("scale", "offset", "unit", "nodata"):
            for spelt in (key, f"raster:{key}"):
                if entry.get(spelt) is not None:
                    found[key] = entry[spelt]
    return found


def number(value: Any, name: str) -> float:
    """A finite number.

    Raises:
        ArchiveError: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            if math.isfinite(value):
                return float(value)
        except OverflowError:
            pass
    raise ArchiveError(f"{name}: {str(value)[:40]!r} is not a number that can be used")


def scale(said: Any, name: str) -> float:
    """What values are multiplied with.

    Raises:
        ArchiveError: it is no number above 0.
    """
    value = number(said, name)
    if value <= 0:
        raise ArchiveError(f"{name} states a scale of {value:g}")
    return value


def nodata(said: Any, otherwise: float | None, name: str) -> float | None:
    """What marks a missing value.

    Raises:
        ArchiveError: it is no number, and not one of the words for those that JSON does not have.
    """
    if said is None:
        return otherwise
    if isinstance(said, float) or said in ("nan", "inf", "-inf"):
        return float(said)
    return number(said, name)


def epsg(item: pystac.Item) -> int | None:
    """Code of the reference system that the item says its rasters lie in; None where it says nothing."""
    code = item.properties.get("proj:code")
    if code is None and "proj:epsg" in item.properties:
        code = f"EPSG:{item.properties['proj:epsg']}"
    match = re.fullmatch(r"EPSG:(\d{4,5})", str(code), re.ASCII)
    return int(match[1]) if match else None


def time(item: pystac.Item, name: str) -> datetime:
    """When the item was taken, or began to be.

    Raises:
        ArchiveError: it does not say so to the time of day.
    """
    said = item.properties.get("datetime") or item.properties.get("start_datetime")
    if said is None:
        raise ArchiveError(f"{name} has neither datetime nor start_datetime")
    if not re.match(r"[\d-]+[T ]\d\d", str(said), re.ASCII | re.IGNORECASE):
        raise ArchiveError(f"{name}: {str(said)[:40]!r} has no time of day")
    return parse_time(str(said).upper(), name)


def orbit_pass(item: pystac.Item, name: str) -> str:
    """`ascending` or `descending`; empty where the item does not say.

    Raises:
        ArchiveError: it says something else.
    """
    said = item.properties.get("sat:orbit_state")
    return "" if said is None else parse_pass(str(said), name)


def relative_orbit(item: pystac.Item, name: str) -> int | None:
    """Number of the orbit in its cycle; None where the item does not say.

    Raises:
        ArchiveError: it says something else.
    """
    said = item.properties.get("sat:relative_orbit")
    return None if said is None else parse_relative_orbit(number(said, name), name)
