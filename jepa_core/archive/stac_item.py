"""A STAC item to a scene: Sentinel-2 and Sentinel-1 as Earth Search and the Planetary Computer write them.

Sources: STAC 1.0 and 1.1, extensions `raster`, `eo`, `sat`, `processing`; the catalogues' own fields `s2:`, `s1:` and
`earthsearch:`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import pystac

from jepa_core.archive.scene import ArchiveError, Scene
from jepa_core.archive.stac_fields import Locate
from jepa_core.archive.stac_sentinel1 import sentinel1_scene
from jepa_core.archive.stac_sentinel2 import sentinel2_scene
from jepa_core.sensors import SENSORS, SENTINEL2, Sensor


def sensor_of(item: Any) -> Sensor | None:
    """The sensor that an item, perhaps a broken one, is of; None for another mission's."""
    if not isinstance(item, Mapping):
        return None
    properties = item.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    said = [properties.get("constellation"), properties.get("platform"), item.get("collection"), item.get("id")]
    for text in said:
        for sensor in SENSORS.values():
            mission = sensor.short.upper()
            # The Planetary Computer writes `Sentinel 2`.
            if isinstance(text, str) and re.match(rf"(?i)(sentinel[-_ ]?{mission[1]}|{mission}[A-D]?_)", text):
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
        # Halves of surrogate pairs, which JSON may hold, fit into no table.
        json.dumps(item, ensure_ascii=False).encode()
        parsed = pystac.Item.from_dict(dict(item))
    except Exception as error:
        # pystac raises whatever its parsing trips over.
        raise ArchiveError(f"{name} is no valid STAC item: {type(error).__name__} {error}") from error
    if not isinstance(parsed.id, str):
        raise ArchiveError(f"{name} is no valid STAC item: its id is no text")
    if sensor.name == SENTINEL2.name:
        return sentinel2_scene(parsed, sensor, locate, name)
    return sentinel1_scene(parsed, sensor, locate, name)
