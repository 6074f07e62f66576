"""STAC items in the archive's folders, and those of catalogues and APIs that the archive's `stac.json` names.

`stac.json` at the root of the archive is a list; each entry is `{"catalog": <address of a catalog.json>}` or
`{"api": <address>, "collections": [...], "bbox": [...], "datetime": "...", "query": {...}}`, of which only the
first two are needed.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jepa_core.archive.addresses import gdal_address, is_remote, local_path
from jepa_core.archive.listing import fail
from jepa_core.archive.scene import ArchiveError, Scene, Source
from jepa_core.archive.stac_fields import Locate
from jepa_core.archive.stac_item import read_item, sensor_of
from jepa_core.archive.stac_item_file import Kept
from jepa_core.archive.stac_local import local_items
from jepa_core.archive.stac_memory import Memory
from jepa_core.archive.stac_remote import api_items, catalogue_items
from jepa_core.archive.stac_watch import ask
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

NAME = "stac.json"

_SEARCH_FIELDS = {"collections", "bbox", "datetime", "query", "ids", "intersects", "filter"}


def find_sources(root: Path, sensor: Sensor, memory: Path | None = None) -> Iterator[Source]:
    """Items of the sensor under `root`, and in the catalogues and APIs of `stac.json`.

    Args:
        root: of the archive.
        sensor: the sensor.
        memory: folder where what APIs said is remembered, so that only what changed is asked for.
    """
    yield from local_items(root, sensor, NAME)
    yield from _named_catalogues(root, sensor, memory)


def _named_catalogues(root: Path, sensor: Sensor, memory: Path | None) -> Iterator[Source]:
    path = root / NAME
    if not path.exists():
        return
    for entry in _entries(path):
        api = "api" in entry
        address = entry["api" if api else "catalog"]
        search = {key: value for key, value in entry.items() if key != "api"}
        if api and memory is not None:
            yield from _watched(memory, root, entry, search, sensor)
            continue
        items = api_items(address, search) if api else catalogue_items(address, root, NAME)
        try:
            for name, item in items:
                found = sensor_of(item)
                if found is not None and found.name == sensor.name:
                    place = f"{address}#{name}"
                    locate = partial(_locate_of_catalogue, root, not api and not is_remote(address))
                    read = partial(read_item, item, sensor, locate, place)
                    yield Source(sensor, place, fingerprint(item), read, remote=True)
        except Exception as error:
            # Clients raise their own kinds; whatever it is, the rest of the archive goes on.
            broken = ArchiveError(f"{address} cannot be listed: {type(error).__name__} {error}")
            yield Source(sensor, address, fingerprint(entry), partial(fail, broken), remote=True)


def _watched(
    memory: Path, root: Path, entry: Mapping[str, Any], search: Mapping[str, Any], sensor: Sensor
) -> Iterator[Source]:
    """Items of an API, most of them as they are remembered."""
    address = entry["api"]
    answer = ask(address, search, memory)
    locate = partial(_locate_of_catalogue, root, False)
    for name, kept in answer.items.items():
        if kept.sensor == sensor.name:
            place = f"{address}#{name}"
            read = partial(_read_remembered, answer.memory, name, kept, sensor, locate, place)
            yield Source(sensor, place, kept.stamp, read, remote=True)
    if answer.trouble:
        broken = ArchiveError(f"{address} cannot be listed: {answer.trouble}")
        yield Source(sensor, address, fingerprint(entry), partial(fail, broken), remote=True)


def _read_remembered(memory: Memory, name: str, kept: Kept, sensor: Sensor, locate: Locate, place: str) -> Scene:
    return read_item(memory.recall(name, kept), sensor, locate, place)


def _locate_of_catalogue(root: Path, local: bool, href: str) -> str:
    """What rasterio opens for an absolute link in a catalogue; one that lies elsewhere opens no file here."""
    if is_remote(href):
        return gdal_address(href)
    if not local:
        raise ArchiveError(f"{href[:200]} is no address that can be read")
    return str(local_path(href, root, root, NAME))


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ArchiveError(f"{path} is not a list of objects")
    for entry in entries:
        kind = {"api", "catalog"} & set(entry)
        allowed = kind | (_SEARCH_FIELDS if "api" in entry else set())
        if len(kind) != 1 or set(entry) - allowed:
            raise ArchiveError(
                f"{path}: each entry has either `catalog` alone or `api`, with {', '.join(sorted(_SEARCH_FIELDS))}; "
                f"this one has {', '.join(sorted(entry)) or 'nothing'}"
            )
        (said,) = (entry[key] for key in kind)
        if not isinstance(said, str) or not said or ("api" in kind and not said.startswith(("http://", "https://"))):
            raise ArchiveError(f"{path}: {str(said)[:200]!r} is not the address of a catalogue or API")
    return entries
