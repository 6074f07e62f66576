"""BigEarthNet v1 and v2 as distributed: a folder a patch, a GeoTIFF a band.

v1: `<patch>/<patch>_<band>.tif` and `<patch>_labels_metadata.json` with place, time, labels and partner; lists
`train.csv`, `val.csv` and `test.csv` at the root of the archive name Sentinel-2 patches, one a line.

v2 (reBEN): `<product>/<patch>/<patch>_<band>.tif`, and above them `metadata.parquet` with labels, split and partner of
the patches that the authors recommend; those that it does not list (snow, cloud, shadow) are left out. Place and time
are those of the GeoTIFF and of the name.

A scene is what patches of one name but for row and column were cut from.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from jepa_core.archive import bigearthnet_v1, bigearthnet_v2
from jepa_core.archive.listing import stat_of
from jepa_core.archive.scene import ArchiveError, Fault, ReadyPatch, Scene, Source
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor


def find_sources(root: Path, sensor: Sensor) -> Iterator[Source]:
    """Products of the sensor of which patches lie anywhere under `root`."""
    groups: dict[tuple[str, Path | None], list[tuple[Path, str]]] = defaultdict(list)
    for folder, product, stamp, table in _patch_folders(root, sensor):
        groups[product, table].append((folder, stamp))
    for (product, table), found in sorted(groups.items(), key=lambda entry: (entry[0][0], str(entry[0][1]))):
        found.sort()
        lists = [table] if table else [root / f"{split}.csv" for split in bigearthnet_v1.SPLITS]
        stamp = fingerprint([[[f.name, files] for f, files in found], [stat_of(path) for path in lists]])
        folders = [folder for folder, _ in found]
        # The radar products of both versions bear one name.
        place = f"{product} ({table.relative_to(root)})" if table else product
        read = partial(_read_scene, product, folders, root, table, sensor)
        yield Source(sensor, place, stamp, read, files=partial(_files, folders))


def _files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        yield folder
        yield from folder.iterdir() if folder.is_dir() else ()


def _patch_folders(root: Path, sensor: Sensor) -> Iterator[tuple[Path, str, str, Path | None]]:
    """Each patch's folder, the product it is of, its files' sizes and times, and its v2 table."""
    named = re.compile(rf"({sensor.short.upper()}[A-D]_\w+?)_\d+_\d+")
    tables: dict[Path, Path | None] = {root.parent: None}
    for folder, inner, files in os.walk(root, followlinks=False):
        here = Path(folder)
        tables[here] = here / "metadata.parquet" if "metadata.parquet" in files else tables.get(here.parent)
        inner[:] = sorted(name for name in inner if not name.endswith(".SAFE"))
        match = named.fullmatch(here.name)
        if match and any(name.startswith(here.name) and name.endswith((".tif", ".json")) for name in files):
            inner.clear()
            yield here, match[1], fingerprint([[name, stat_of(here / name)] for name in sorted(files)]), tables[here]
            # A patch is a leaf: keeping it would make the map as large as the set.
            del tables[here]


def _read_scene(product: str, folders: list[Path], root: Path, table: Path | None, sensor: Sensor) -> Scene:
    read: Callable[[Path], tuple[ReadyPatch, datetime] | None]
    if table is None:
        read = partial(bigearthnet_v1.read_patch, sensor=sensor, splits=bigearthnet_v1.read_splits(root))
    else:
        read = partial(bigearthnet_v2.read_patch, sensor=sensor, table=bigearthnet_v2.read_table(table))
    found, faults = [], []
    names: dict[str, Path] = {}
    for folder in folders:
        first = names.setdefault(folder.name, folder)
        if first is not folder:
            faults.append(Fault(str(folder.relative_to(root)), f"{folder} is {first} again; the first is taken"))
            continue
        try:
            patch = read(folder)
        except ArchiveError as error:
            faults.append(Fault(str(folder.relative_to(root)), str(error)))
        else:
            found += [patch] if patch is not None else []
    if not found:
        raise ArchiveError(faults[0].reason if faults else f"{table} lists none of the patches of {product}")
    time = min(time for _, time in found)
    return Scene(product, sensor, time, patches=tuple(patch for patch, _ in found), faults=tuple(faults))
