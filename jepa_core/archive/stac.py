"""STAC items in the archive's folders, and those of catalogues and APIs that the archive's `stac.json` names.

`stac.json` at the root of the archive is a list; each entry is `{"catalog": <address of a catalog.json>}` or
`{"api": <address>, "collections": [...], "bbox": [...], "datetime": "...", "query": {...}}`, of which only the
first two are needed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pystac
import pystac_client
from pystac.stac_io import DefaultStacIO

from jepa_core.archive.addresses import gdal_address, is_remote, local_path, read_metadata
from jepa_core.archive.scene import ArchiveError, Scene, Source
from jepa_core.archive.stac_item import read_item, sensor_of
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

NAME = "stac.json"

_MAX_ITEM_BYTES = 8 << 20
"""A JSON file larger than this is no item."""

_SEARCH_FIELDS = {"collections", "bbox", "datetime", "query", "ids", "intersects", "filter"}


def find_sources(root: Path, sensor: Sensor) -> Iterator[Source]:
    """Items of the sensor under `root`, and in the catalogues and APIs of `stac.json`."""
    for path in _json_files(root):
        yield from _local_item(path, root, sensor)
    yield from _named_catalogues(root, sensor)


def _json_files(root: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(root, followlinks=False):
        here = Path(folder)
        # BigEarthNet's patches have a JSON each that is theirs; there are half a million of them.
        if f"{here.name}_labels_metadata.json" in files:
            inner.clear()
            continue
        inner[:] = sorted(name for name in inner if not name.endswith(".SAFE"))
        for name in sorted(files):
            if name.endswith((".json", ".geojson")) and not (here == root and name == NAME):
                yield here / name


def _local_item(path: Path, root: Path, sensor: Sensor) -> Iterator[Source]:
    place = str(path.relative_to(root))
    try:
        status = path.stat()
        if status.st_size > _MAX_ITEM_BYTES:
            return
        text = path.read_bytes()
        item = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        # Whose it is cannot be told: both sensors list it.
        broken = ArchiveError(f"{path} is not readable JSON: {error}")
        yield Source(sensor, place, fingerprint(_stat(path)), partial(_fail, broken))
        return
    if not isinstance(item, Mapping) or item.get("type") != "Feature" or "stac_version" not in item:
        return
    found = sensor_of(item)
    if found is None or found.name != sensor.name:
        return

    def locate(href: str) -> str:
        if is_remote(href):
            return gdal_address(href)
        return str(local_path(href, path.parent, root, place))

    links = _links(item)
    stats = [_stat(path.parent / href) for href in links if not is_remote(href)]
    yield Source(
        sensor,
        place,
        fingerprint([text.decode(errors="replace"), stats]),
        partial(read_item, item, sensor, locate, place),
        remote=any(is_remote(href) for href in links),
    )


def _links(item: Mapping[str, Any]) -> list[str]:
    assets = item.get("assets")
    if not isinstance(assets, Mapping):
        return []
    found = [asset.get("href") for asset in assets.values() if isinstance(asset, Mapping)]
    return [href for href in found if isinstance(href, str)]


def _stat(path: Path) -> list[int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return []
    return [status.st_size, status.st_mtime_ns, status.st_mode]


def _fail(error: ArchiveError) -> Scene:
    raise error


def _named_catalogues(root: Path, sensor: Sensor) -> Iterator[Source]:
    path = root / NAME
    if not path.exists():
        return
    try:
        entries = json.loads(path.read_text())
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ArchiveError(f"{path} is not a list of objects")
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{path} is not readable JSON: {error}") from error
    for entry in entries:
        address, items = _opened(entry, path, root)
        try:
            for item in items:
                found = sensor_of(item)
                if found is not None and found.name == sensor.name:
                    place = f"{address}#{item.get('collection') or ''}/{item.get('id')}"
                    yield Source(
                        sensor, place, fingerprint(item), partial(read_item, item, sensor, _locate_remote, place), True
                    )
        except Exception as error:
            # Clients raise their own kinds; whatever it is, the rest of the archive goes on.
            broken = ArchiveError(f"{address} cannot be listed: {type(error).__name__} {error}")
            yield Source(sensor, address, fingerprint(entry), partial(_fail, broken), remote=True)


def _locate_remote(href: str) -> str:
    return gdal_address(href) if is_remote(href) else href


def _opened(entry: dict[str, Any], path: Path, root: Path) -> tuple[str, Iterator[Mapping[str, Any]]]:
    """Address of a catalogue or API, and its items, not yet asked for."""
    unknown = set(entry) - _SEARCH_FIELDS - {"api", "catalog"}
    if unknown or len({"api", "catalog"} & set(entry)) != 1:
        raise ArchiveError(
            f"{path}: each entry has either `catalog` or `api`, with {', '.join(sorted(_SEARCH_FIELDS))}; "
            f"this one has {', '.join(sorted(entry))}"
        )
    if "catalog" in entry:
        return str(entry["catalog"]), _catalogue_items(str(entry["catalog"]), root)
    search = {key: value for key, value in entry.items() if key != "api"}
    return str(entry["api"]), _api_items(str(entry["api"]), search)


def _catalogue_items(address: str, root: Path) -> Iterator[Mapping[str, Any]]:
    href = address if is_remote(address) else str(local_path(address, root, root, NAME))
    for item in pystac.Catalog.from_file(href, stac_io=_AnywhereIO()).get_items(recursive=True):
        item.make_asset_hrefs_absolute()
        yield item.to_dict(transform_hrefs=False)


def _api_items(address: str, search: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from pystac_client.Client.open(address).search(**search).items_as_dicts()


class _AnywhereIO(DefaultStacIO):
    """Reads catalogues through fsspec, so that they may lie where the assets may."""

    def read_text_from_href(self, href: str, *args: Any, **kwargs: Any) -> str:
        return read_metadata(href).decode()
