"""Where SAFE products lie in an archive; none is opened."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from jepa_core.archive.listing import fail
from jepa_core.archive.manifest import lacking
from jepa_core.archive.safe import Safe, open_safe
from jepa_core.archive.scene import ArchiveError, Scene, Source
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

_PRODUCT = re.compile(r"S[12][A-D]_\w+")


def product_sources(root: Path, sensor: Sensor, read: Callable[[Safe, Sensor], Scene]) -> Iterator[Source]:
    """Places under `root` that are named as the sensor's products, and folders that cannot be looked into.

    Args:
        root: of the archive.
        sensor: whose products are wanted.
        read: reads one.
    """
    closed: list[OSError] = []
    for place in product_places(root, sensor.short.upper(), closed.append):
        name = str(place.relative_to(root))
        yield Source(
            sensor,
            name,
            stamp_of(place),
            partial(_open_and_read, place, sensor, read),
            files=partial(_files, place),
            lacking=partial(lacking, place),
        )
    for error in closed:
        # What it may hold cannot be told: it must show up somewhere.
        place = Path(str(error.filename))
        broken = ArchiveError(f"{place} cannot be looked into: {error.strerror}")
        # Tried again each time, for what it holds takes no other way to change.
        yield Source(sensor, str(place.relative_to(root)), "", partial(fail, broken), remote=True)


def _open_and_read(place: Path, sensor: Sensor, read: Callable[[Safe, Sensor], Scene]) -> Scene:
    return read(open_safe(place), sensor)


def product_places(root: Path, mission: str, closed: Callable[[OSError], None]) -> Iterator[Path]:
    """Folders named `<product>.SAFE` and zips of them, anywhere under `root`, sorted within each folder.

    Args:
        root: of the archive.
        mission: `S1` or `S2`.
        closed: is told of folders that cannot be looked into.
    """
    for folder, inner, files in os.walk(root, onerror=closed, followlinks=False):
        here = Path(folder)
        for name in sorted(inner):
            if name.endswith(".SAFE") and name.startswith(mission):
                yield here / name
        for name in sorted(files):
            stem = name.removesuffix(".zip").removesuffix(".SAFE")
            if name.endswith(".zip") and name.startswith(mission) and _PRODUCT.fullmatch(stem):
                yield here / name
        # Nothing of an archive lies inside a product.
        inner[:] = [name for name in inner if not name.endswith(".SAFE")]


def stamp_of(place: Path) -> str:
    """Changes when a file of the product is added, removed or written; needs no right to read any."""
    found = [[place.name, *_stat(place)]]
    if not os.path.islink(place):
        for folder, _, files in os.walk(place, followlinks=False):
            for name in files:
                path = Path(folder) / name
                found.append([path.relative_to(place).as_posix(), *_stat(path)])
    return fingerprint(sorted(found))


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
    for folder, _, files in os.walk(place, followlinks=False):
        # A copy begins with folders that are empty.
        yield Path(folder)
        yield from (Path(folder) / name for name in files)


def _stat(path: Path) -> list[int]:
    try:
        status = path.lstat()
    except OSError:
        # Gone since it was listed, or in a folder that must not be entered.
        return []
    # A folder's own time changes with what is put beside the product's files by others.
    is_folder = stat.S_ISDIR(status.st_mode)
    return [0 if is_folder else status.st_size, 0 if is_folder else status.st_mtime_ns, status.st_mode]
