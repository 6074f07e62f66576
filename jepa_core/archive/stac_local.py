"""STAC items in the archive's own folders."""

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jepa_core.archive.addresses import gdal_address, is_remote, local_path, local_text
from jepa_core.archive.listing import fail, stat_of
from jepa_core.archive.scene import ArchiveError, Scene, Source
from jepa_core.archive.stac_item import read_item, sensor_of
from jepa_core.changes import Changes, changes_of
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

_MAX_ITEM_BYTES = 8 << 20
"""A JSON file larger than this is no item."""

_YOUNG_NS = 3_000_000_000
"""A file that changed so lately may change again without its times or size telling: some systems count in seconds."""


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

_heads: dict[Path, tuple[Changes, _Head]] = {}
"""Of files that this process has seen, a kilobyte each: it lists an archive for each sensor, and again and again."""

_stamps: dict[Path, tuple[str, str]] = {}
"""What the item's file and those of its assets were when the stamp was taken, and the stamp."""


def _local_item(path: Path, root: Path, sensor: Sensor) -> Iterator[Source]:
    place = str(path.relative_to(root))
    try:
        changes = changes_of(path)
        head = _head(path, changes)
        if head.sensor != sensor.name:
            return
        # As text: there are a dozen a scene, and to make paths of them takes longer than all else.
        local = [os.path.join(path.parent, local_text(href)) for href in head.links if not is_remote(href)]
        stamp = _stamp(path, changes, [stat_of(file) for file in local])
    except (OSError, ValueError, RecursionError) as error:
        # Whose it is cannot be told: both sensors list it.
        broken = ArchiveError(f"{path} is not readable JSON: {error}")
        yield Source(sensor, place, fingerprint(stat_of(path)), partial(fail, broken))
        return
    yield Source(
        sensor,
        place,
        stamp,
        partial(_read, path, changes, root, sensor, place),
        remote=any(is_remote(href) for href in head.links),
        files=lambda: [path, *map(Path, local)],
    )


def _is_young(changes: Changes) -> bool:
    return time.time_ns() - max(changes[1:3]) < _YOUNG_NS


def _head(path: Path, changes: Changes) -> _Head:
    """Of a JSON file, as it is since it changed last."""
    known = _heads.get(path)
    if known is not None and known[0] == changes:
        return known[1]
    head = _NO_ITEM
    if changes[0] <= _MAX_ITEM_BYTES:
        item = json.loads(path.read_bytes())
        if isinstance(item, Mapping) and item.get("type") == "Feature" and "stac_version" in item:
            found = sensor_of(item)
            head = _NO_ITEM if found is None else _Head(found.name, tuple(_links(item)))
    if not _is_young(changes):
        _heads[path] = changes, head
    return head


def _stamp(path: Path, changes: Changes, assets: list[list[int]]) -> str:
    """Of an item's text, and of the files that it names."""
    seen = fingerprint([changes, assets])
    known = _stamps.get(path)
    if known is not None and known[0] == seen:
        return known[1]
    stamp = fingerprint([path.read_bytes().decode(errors="replace"), assets])
    if not _is_young(changes):
        _stamps[path] = seen, stamp
    return stamp


def _links(item: Mapping[str, Any]) -> list[str]:
    assets = item.get("assets")
    if not isinstance(assets, Mapping):
        return []
    found = [asset.get("href") for asset in assets.values() if isinstance(asset, Mapping)]
    return [href for href in found if isinstance(href, str)]


def _read(path: Path, listed: Changes, root: Path, sensor: Sensor, place: str) -> Scene:
    def locate(href: str) -> str:
        if is_remote(href):
            return gdal_address(href)
        return str(local_path(href, path.parent, root, place))

    try:
        text = path.read_bytes()
        if changes_of(path) != listed:
            # A fault that passes: what it gave before stands until the next look, which lists it anew.
            raise ArchiveError(f"{path} changed since it was listed") from OSError(errno.EAGAIN, "changed meanwhile")
        item = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is not readable JSON: {error}") from error
    return read_item(item, sensor, locate, place)
