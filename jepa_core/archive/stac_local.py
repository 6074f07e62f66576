"""STAC items in the archive's own folders."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jepa_core.archive.addresses import gdal_address, is_remote, local_path, local_text
from jepa_core.archive.listing import fail, stat_of
from jepa_core.archive.scene import ArchiveError, Scene, Source
from jepa_core.archive.stac_item import read_item, sensor_of
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

_MAX_ITEM_BYTES = 8 << 20
"""A JSON file larger than this is no item."""

_REMEMBERED = 1 << 16
"""Files whose heads a process keeps, some hundred bytes each: it lists an archive for each sensor, and again."""


def local_items(root: Path, sensor: Sensor, table: str) -> Iterator[Source]:
    """Items of the sensor under `root`.

    Args:
        root: of the archive.
        sensor: the sensor.
        table: name of the file at the root that lists catalogues, which is no item.
    """
    for path in _json_files(root, table):
        yield from _local_item(path, root, sensor)


def _json_files(root: Path, table: str) -> Iterator[Path]:
    for folder, inner, files in os.walk(root, followlinks=False):
        here = Path(folder)
        # BigEarthNet's patches have a JSON each that is theirs; there are half a million of them.
        if f"{here.name}_labels_metadata.json" in files:
            inner.clear()
            continue
        inner[:] = sorted(name for name in inner if not name.endswith(".SAFE"))
        for name in sorted(files):
            if name.endswith((".json", ".geojson")) and not (here == root and name == table):
                yield here / name


@dataclass(frozen=True)
class _Head:
    """What listing needs of an item."""

    sensor: str
    """Name; empty for another mission's, or for JSON that is no item."""

    links: tuple[str, ...]
    """Where its assets lie."""


_NO_ITEM = _Head("", ())


def _local_item(path: Path, root: Path, sensor: Sensor) -> Iterator[Source]:
    place = str(path.relative_to(root))
    try:
        status = path.stat()
        changes = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        head = _head(path, changes)
        if head.sensor != sensor.name:
            return
        # As text: there are a dozen a scene, and to make paths of them takes longer than all else.
        local = [os.path.join(path.parent, local_text(href)) for href in head.links if not is_remote(href)]
        stamp = _stamp(path, changes, tuple(tuple(stat_of(file)) for file in local))
    except (OSError, ValueError, RecursionError) as error:
        # Whose it is cannot be told: both sensors list it.
        broken = ArchiveError(f"{path} is not readable JSON: {error}")
        yield Source(sensor, place, fingerprint(stat_of(path)), partial(fail, broken))
        return
    yield Source(
        sensor,
        place,
        stamp,
        partial(_read, path, root, sensor, place),
        remote=any(is_remote(href) for href in head.links),
        files=lambda: [path, *map(Path, local)],
    )


@lru_cache(_REMEMBERED)
def _head(path: Path, changes: tuple[int, ...]) -> _Head:
    """Of a JSON file, as it is since it changed last."""
    if changes[0] > _MAX_ITEM_BYTES:
        return _NO_ITEM
    item = json.loads(path.read_bytes())
    if not isinstance(item, Mapping) or item.get("type") != "Feature" or "stac_version" not in item:
        return _NO_ITEM
    found = sensor_of(item)
    return _NO_ITEM if found is None else _Head(found.name, tuple(_links(item)))


@lru_cache(_REMEMBERED)
def _stamp(path: Path, changes: tuple[int, ...], assets: tuple[tuple[int, ...], ...]) -> str:
    """Of an item's text, and of the files that it names."""
    return fingerprint([path.read_bytes().decode(errors="replace"), assets])


def _links(item: Mapping[str, Any]) -> list[str]:
    assets = item.get("assets")
    if not isinstance(assets, Mapping):
        return []
    found = [asset.get("href") for asset in assets.values() if isinstance(asset, Mapping)]
    return [href for href in found if isinstance(href, str)]


def _read(path: Path, root: Path, sensor: Sensor, place: str) -> Scene:
    def locate(href: str) -> str:
        if is_remote(href):
            return gdal_address(href)
        return str(local_path(href, path.parent, root, place))

    try:
        item = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is not readable JSON: {error}") from error
    return read_item(item, sensor, locate, place)
