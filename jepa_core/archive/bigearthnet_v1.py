"""A patch of BigEarthNet v1: its JSON says where, when, what, and which patch of the other sensor goes with it."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import CRSError

from jepa_core.archive.nomenclature import to_ben19
from jepa_core.archive.scene import ArchiveError, ReadyPatch
from jepa_core.archive.times import parse_time
from jepa_core.grid import Cell
from jepa_core.sensors import SENTINEL1, Sensor
from jepa_core.zones import is_utm

SPLITS = ("train", "val", "test")

_METADATA = "_labels_metadata.json"


def read_splits(root: Path) -> dict[str, str]:
    """Part of each Sentinel-2 patch that the lists at the root name.

    Raises:
        ArchiveError: a list cannot be read.
    """
    splits = {}
    for split in SPLITS:
        path = root / f"{split}.csv"
        try:
            if path.exists():
                splits.update(dict.fromkeys(path.read_text().split(), split))
        except (OSError, UnicodeDecodeError) as error:
            raise ArchiveError(f"{path} cannot be read: {error}") from error
    return splits


def read_patch(folder: Path, sensor: Sensor, splits: dict[str, str]) -> tuple[ReadyPatch, datetime]:
    """The patch of a folder, and the start of its acquisition, UTC.

    Raises:
        ArchiveError: its metadata are missing, broken or name an unknown class, or a band is missing.
    """
    metadata = _read_metadata(folder)
    radar = sensor.name == SENTINEL1.name
    try:
        # Only the Sentinel-1 side names its partner.
        pair = str(metadata["corresponding_s2_patch"]) if radar else folder.name
        patch = ReadyPatch(
            name=folder.name,
            cell=_cell(metadata),
            bands=band_files(folder, sensor),
            labels=to_ben19(metadata["labels"]),
            split=splits.get(pair),
            partner=pair if radar else None,
        )
        return patch, parse_time(metadata["acquisition_time" if radar else "acquisition_date"], folder.name + _METADATA)
    except (KeyError, TypeError, ValueError, CRSError) as error:
        what = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise ArchiveError(f"{folder / (folder.name + _METADATA)}: {what}") from error


def band_files(folder: Path, sensor: Sensor) -> dict[str, str]:
    """Address of each band's file in a patch's folder, in both versions of the set.

    Raises:
        ArchiveError: one is missing; the message names it.
    """
    files = {}
    for band in sensor.band_names:
        path = folder / f"{folder.name}_{band}.tif"
        # Unlike the path's own method, this raises nothing where the folder must not be entered.
        if not os.path.exists(path):
            raise ArchiveError(f"{folder} has no band {band}: {path.name} is missing")
        files[band] = str(path)
    return files


def _read_metadata(folder: Path) -> dict[str, Any]:
    path = folder / (folder.name + _METADATA)
    try:
        metadata = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} is missing: without it the patch has no place and no time") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise ArchiveError(f"{path} holds no fields")
    return metadata


def _cell(metadata: dict[str, Any]) -> Cell:
    epsg = CRS.from_wkt(metadata["projection"]).to_epsg()
    if epsg is None or not is_utm(epsg):
        raise ValueError(f"the projection is {'none with an EPSG code' if epsg is None else epsg}, not a UTM zone")
    corners = metadata["coordinates"]
    # The two sensors' files name the lower edge differently.
    south = corners["lry"] if "lry" in corners else corners["lly"]
    return Cell(epsg, float(corners["ulx"]), float(south), float(corners["lrx"]), float(corners["uly"]))
