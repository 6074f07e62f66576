"""BigEarthNet v1 as distributed: a folder a patch, a GeoTIFF a band, labels in JSON.

Layout: `<root>/.../<patch>/<patch>_<band>.tif` and `<patch>_labels_metadata.json`; optional lists `train.csv`,
`val.csv` and `test.csv` at the root name Sentinel-2 patches, one a line.
"""

import json
import os
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import CRSError

from jepa_core.archive.nomenclature import to_ben19
from jepa_core.archive.scene import ArchiveError, BandFile, ReadyPatch, Scene
from jepa_core.grid import Cell
from jepa_core.sensors import SENTINEL1, Sensor

_METADATA = "_labels_metadata.json"


def read_scenes(root: Path, sensor: Sensor) -> list[Scene]:
    """Scenes of one sensor, sorted by id; a scene is the product that its patches were cut from.

    Raises:
        ArchiveError: nothing of this layout under `root`, or a patch without one of the sensor's bands, with
            broken metadata or with unknown class names. The message names the file.
    """
    splits = _read_splits(root)
    partners = _read_partners(root)
    by_scene: dict[str, list[tuple[datetime, ReadyPatch]]] = defaultdict(list)
    for folder in patch_folders(root, sensor):
        metadata = _read_metadata(folder)
        try:
            scene_id, time = _scene_of(metadata, sensor)
            pair = metadata["corresponding_s2_patch"] if sensor is SENTINEL1 else folder.name
            patch = ReadyPatch(
                name=folder.name,
                cell=_cell(metadata),
                bands=_band_files(folder, sensor),
                labels=to_ben19(metadata["labels"]),
                split=splits.get(pair),
                partner=pair if sensor is SENTINEL1 else partners.get(folder.name),
            )
        except (KeyError, TypeError, ValueError, CRSError) as error:
            what = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise ArchiveError(f"{folder / (folder.name + _METADATA)}: {what}") from error
        by_scene[scene_id].append((time, patch))
    return [
        Scene(
            id=scene_id,
            sensor=sensor,
            time=min(time for time, _ in found),
            patches=tuple(sorted((patch for _, patch in found), key=lambda p: p.name)),
        )
        for scene_id, found in sorted(by_scene.items())
    ]


def patch_folders(root: Path, sensor: Sensor) -> list[Path]:
    """Folders of the sensor's patches anywhere under `root`, sorted by name."""
    mission = re.compile(f"{sensor.short.upper()}[A-D]_")
    found = []
    for folder, inner, _ in os.walk(root, followlinks=False):
        found += [Path(folder) / name for name in inner if mission.match(name)]
        inner[:] = [name for name in inner if not re.match(r"S[12][A-D]_", name)]
    return sorted(found, key=lambda path: path.name)


def _read_splits(root: Path) -> dict[str, str]:
    splits = {}
    for split in ("train", "val", "test"):
        path = root / f"{split}.csv"
        if path.exists():
            splits.update(dict.fromkeys(path.read_text().split(), split))
    return splits


def _read_partners(root: Path) -> dict[str, str]:
    """Sentinel-1 patch of each Sentinel-2 patch: only the Sentinel-1 side names its partner."""
    return {
        _read_metadata(folder).get("corresponding_s2_patch", ""): folder.name
        for folder in patch_folders(root, SENTINEL1)
    }


def _read_metadata(folder: Path) -> dict[str, Any]:
    path = folder / (folder.name + _METADATA)
    try:
        metadata = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} is missing: without it the patch has no place and no time") from error
    except ValueError as error:
        raise ArchiveError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise ArchiveError(f"{path} holds no fields")
    return metadata


def _scene_of(metadata: dict[str, Any], sensor: Sensor) -> tuple[str, datetime]:
    if sensor is SENTINEL1:
        scene, time = metadata["scene_source"], metadata["acquisition_time"]
    else:
        scene, time = metadata["tile_source"].removesuffix(".SAFE"), metadata["acquisition_date"]
    return scene, datetime.fromisoformat(time).replace(tzinfo=UTC)


def _cell(metadata: dict[str, Any]) -> Cell:
    epsg = CRS.from_wkt(metadata["projection"]).to_epsg()
    if epsg is None:
        raise ValueError("the projection has no EPSG code")
    corners = metadata["coordinates"]
    # The two sensors' files name the lower edge differently.
    south = corners["lry"] if "lry" in corners else corners["lly"]
    return Cell(epsg, float(corners["ulx"]), float(south), float(corners["lrx"]), float(corners["uly"]))


def _band_files(folder: Path, sensor: Sensor) -> dict[str, BandFile]:
    files = {}
    for band in sensor.band_names:
        path = folder / f"{folder.name}_{band}.tif"
        if not path.exists():
            raise ArchiveError(f"{folder} has no band {band}: {path.name} is missing")
        status = path.stat()
        files[band] = BandFile(path, status.st_size, status.st_mtime_ns)
    return files
