"""A patch of BigEarthNet v2: one table says what all of them show, their GeoTIFFs where they lie."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import rasterio
from rasterio.errors import RasterioError

from jepa_core.archive.bigearthnet_v1 import band_files
from jepa_core.archive.nomenclature import to_ben19
from jepa_core.archive.scene import ArchiveError, ReadyPatch
from jepa_core.archive.times import parse_time
from jepa_core.changes import Changes, changes_of
from jepa_core.grid import Cell
from jepa_core.sensors import SENTINEL1, Sensor
from jepa_core.zones import is_utm

_COLUMNS = ("patch_id", "labels", "split", "s1_name")
_SPLITS = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Listed:
    """What the table says of a pair."""

    patch: str
    """Name of the Sentinel-2 patch."""

    partner: str
    """Name of the Sentinel-1 patch."""

    labels: tuple[str, ...]
    """Class names."""

    split: str
    """`train`, `val` or `test`."""


def read_table(path: Path) -> dict[str, Listed]:
    """What `metadata.parquet` says, by the name of either sensor's patch.

    Raises:
        ArchiveError: it cannot be read, or lacks a column.
    """
    return _read_table(path, changes_of(path))


@lru_cache(maxsize=2)
def _read_table(path: Path, changes: Changes) -> dict[str, Listed]:
    return {name: pair for pair in read_pairs(path) for name in (pair.patch, pair.partner)}


def read_pairs(path: Path) -> list[Listed]:
    """The pairs of `metadata.parquet`, in its order.

    Raises:
        ArchiveError: it cannot be read, or lacks a column.
    """
    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
        columns = [table[name].to_pylist() for name in _COLUMNS]
        listed = []
        for patch, labels, split, s1_name in zip(*columns, strict=True):
            if not isinstance(patch, str) or not isinstance(s1_name, str):
                raise ValueError(f"patch_id {patch!r} or s1_name {s1_name!r} is no name")
            listed.append(Listed(patch, s1_name, to_ben19(labels), _SPLITS[split]))
    except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError) as error:
        raise ArchiveError(f"{path} is not the metadata of BigEarthNet v2: {error}") from error
    return listed


def read_patch(folder: Path, sensor: Sensor, table: dict[str, Listed]) -> tuple[ReadyPatch, datetime] | None:
    """The patch of a folder, and the start of its acquisition, UTC; None where the table does not list it.

    Raises:
        ArchiveError: a band is missing or has no place, or the name holds no time.
    """
    listed = table.get(folder.name)
    if listed is None:
        return None
    bands = band_files(folder, sensor)
    patch = ReadyPatch(
        name=folder.name,
        cell=_cell(Path(bands[sensor.band_names[0]])),
        bands=bands,
        labels=listed.labels,
        split=listed.split,
        partner=listed.patch if sensor.name == SENTINEL1.name else None,
    )
    match = re.search(r"_(\d{8}T\d{6})(?=_)", folder.name)
    return patch, parse_time(match[1] if match else "", str(folder))


def _cell(path: Path) -> Cell:
    try:
        with rasterio.open(path) as file:
            epsg, bounds = file.crs and file.crs.to_epsg(), file.bounds
    except (RasterioError, UnicodeEncodeError) as error:
        raise ArchiveError(f"{path} cannot be read as a raster: {error}") from error
    if not epsg:
        raise ArchiveError(f"{path} has no coordinate reference system")
    if not is_utm(epsg):
        raise ArchiveError(f"{path} lies in EPSG:{epsg}, not in a UTM zone")
    return Cell(epsg, bounds.left, bounds.bottom, bounds.right, bounds.top)
