"""What was cut: the sensor's manifest, its table of patches, their pixels."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jepa_core import atomic, retries, tables
from jepa_core.archive.scene import ArchiveError
from jepa_core.changes import Changes, changes_of
from jepa_core.errors import NotMaterializedError
from jepa_core.fingerprint import fingerprint
from jepa_core.grid import Grid
from jepa_core.remote.stand_in import bring
from jepa_core.sensors import SENSORS, SENTINEL1, SENTINEL2, Sensor
from jepa_core.store import Store

if TYPE_CHECKING:
    import zarr


def stored_sensor(store: Store, sensor: Sensor) -> Sensor:
    """The sensor with the bands that its patches were cut with; all of them before the first extraction."""
    cutting = _read_cutting(store, sensor)
    return SENSORS[sensor.name].with_bands(cutting["bands"]) if cutting else sensor


def stored_sensors(store: Store) -> tuple[Sensor, Sensor]:
    """Sentinel-1 and Sentinel-2, each with the bands that its patches were cut with."""
    return stored_sensor(store, SENTINEL1), stored_sensor(store, SENTINEL2)


def stored_grid(store: Store, sensor: Sensor) -> Grid:
    """The grid that the sensor's patches lie on; the default one before the first extraction."""
    cutting = _read_cutting(store, sensor)
    return Grid(**cutting["grid"]) if cutting else Grid()


def settings_mark(store: Store, sensor: Sensor) -> str:
    """Fingerprint of all settings that the sensor's patches were cut with; empty before the first extraction."""
    cutting = _read_cutting(store, sensor)
    return str(cutting["settings"]) if cutting else ""


def write_cutting(store: Store, sensor: Sensor, grid: Grid, settings: str) -> None:
    """Records the bands that patches are cut with, their grid, and the fingerprint of all settings."""
    atomic.write_json(
        _cutting(store, sensor), {"bands": list(sensor.band_names), "grid": asdict(grid), "settings": settings}
    )


def _read_cutting(store: Store, sensor: Sensor) -> dict[str, Any] | None:
    path = _cutting(store, sensor)
    return dict(atomic.read_json(path)) if path.exists() else None


def _cutting(store: Store, sensor: Sensor) -> Path:
    return store.patches(sensor) / "cutting.json"


def read_manifest(store: Store, sensor: Sensor) -> pd.DataFrame:
    """The sensor's manifest (schema `tables.SCENES`); empty before the first extraction."""
    path = store.patches(sensor) / "manifest.parquet"
    try:
        changes = changes_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return tables.table_of([], tables.SCENES)
    return _manifest(path, changes).copy()


@lru_cache(8)
def _manifest(path: Path, changes: Changes) -> pd.DataFrame:
    """The file as it is since it changed last: pixels of single patches are read by it, thousands of times."""
    return tables.read_table(path, tables.SCENES)


def read_quarantine(store: Store, sensor: Sensor) -> pd.DataFrame:
    """What of the sensor could not be read, and why (schema `tables.QUARANTINE`)."""
    path = store.patches(sensor) / "quarantine.parquet"
    return tables.read_table(path, tables.QUARANTINE) if path.exists() else tables.table_of([], tables.QUARANTINE)


def read_sources(store: Store, sensor: Sensor) -> pd.DataFrame:
    """What became of each place at the last extraction (schema `tables.SOURCES`); empty before the first."""
    path = _sources(store, sensor)
    return tables.read_table(path, tables.SOURCES) if path.exists() else tables.table_of([], tables.SOURCES)


def _sources(store: Store, sensor: Sensor) -> Path:
    return store.patches(sensor) / "sources.parquet"


def attempts_mark(store: Store, sensor: Sensor, listed: Collection[str]) -> str:
    """Changes when places that could not be read for reasons that may pass are to be tried; see `retries`.

    Args:
        store: the data root.
        sensor: the sensor.
        listed: places of the archive.
    """
    return retries.attempts_mark(_tried(store, sensor), retries.now(), listed)


def retry_now(store: Store, sensor: Sensor) -> int:
    """Makes all places due that wait for their next attempt; gives how many. No extraction must be under way."""
    sources = read_sources(store, sensor)
    waiting = (sources["state"] == "quarantined") & sources["remote"]
    if waiting.any():
        sources.loc[waiting, "next_attempt"] = pd.NaT
        tables.write_table(sources, tables.SOURCES, _sources(store, sensor))
    return int(waiting.sum())


def _tried(store: Store, sensor: Sensor) -> list[dict[str, Any]]:
    """Rows of the table of sources that were ever tried in vain, for reasons that may pass."""
    sources = read_sources(store, sensor)
    waiting = (sources["state"] == "quarantined") & sources["remote"]
    return tables.records(sources[waiting | (sources["attempts"] > 0)])


def scene_files(store: Store, sensor: Sensor) -> list[Path]:
    """The manifest and all that it names: what must be there for an extraction to stand."""
    root = store.patches(sensor)
    folders = read_manifest(store, sensor)["folder"]
    return [root / "manifest.parquet", _cutting(store, sensor), *(root / folder for folder in folders)]


def patches_version(store: Store, sensor: Sensor) -> str:
    """Data version of a sensor's patches: of what they hold, not of how or when they came about."""
    manifest = read_manifest(store, sensor)
    return fingerprint(sorted(zip(manifest["scene_id"], manifest["holds"], strict=True)))


def read_patches(
    store: Store, sensor: Sensor, columns: Sequence[str] | None = None, scenes: Collection[str] | None = None
) -> pd.DataFrame:
    """Patches in the sensor's manifest (schema `tables.PATCHES`), sorted by id.

    Args:
        store: the data root.
        sensor: the sensor.
        columns: only these, where not all are needed; `patch_id` among them.
        scenes: only those of these scenes, by id, of which one at least is in the manifest; None: all.

    Raises:
        NotMaterializedError: nothing was extracted yet.
    """
    manifest = read_manifest(store, sensor)
    if scenes is not None:
        manifest = manifest[manifest["scene_id"].isin(scenes)]
    if manifest.empty:
        raise NotMaterializedError(
            f"no {sensor.name} patches in {store.root}. Run: dagster asset materialize --select {sensor.name}_patches"
        )
    root = store.patches(sensor)
    paths = [root / folder / "patches.parquet" for folder in manifest["folder"]]
    table = tables.read_tables(paths, tables.PATCHES, f"{sensor.name} patches", columns)
    return table.sort_values("patch_id", ignore_index=True)


def read_pixels(store: Store, sensor: Sensor, rows: pd.DataFrame) -> np.ndarray:
    """Pixels of patches, in the order of `rows`.

    Args:
        store: the data root.
        sensor: the sensor, with the bands that the patches were cut with.
        rows: rows of the patch table.

    Returns:
        Array of shape (patches, bands, y, x) in the sensor's dtype, unit and band order.

    Raises:
        ArchiveError: a scene's zarr holds other bands than the sensor has.
    """
    root = store.patches(sensor)
    manifest = read_manifest(store, sensor)
    folders = dict(zip(manifest["scene_id"], manifest["folder"], strict=True))
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for scene_id in rows["scene_id"].unique():
        positions = np.flatnonzero(rows["scene_id"] == scene_id)
        wanted = rows["row"].to_numpy()[positions]
        parts.append((positions, _taken(open_pixels(root / folders[scene_id], sensor), wanted)))
    pixels = np.empty((len(rows), *parts[0][1].shape[1:]), dtype=sensor.dtype)
    for positions_of_scene, values in parts:
        pixels[positions_of_scene] = values
    return pixels


def open_pixels(folder: Path, sensor: Sensor) -> "zarr.Array[Any]":
    """The pixels of a scene's patches, unread: (patches, bands, y, x) in the sensor's dtype, unit and band order.

    Args:
        folder: the scene's, which the manifest names.
        sensor: the sensor, with the bands that the patches were cut with.

    Raises:
        ArchiveError: the scene's zarr holds other bands than the sensor has, or cannot be opened.
    """
    import zarr

    bring(folder)
    path = folder / "pixels.zarr"
    try:
        # Not by xarray, which takes as long to open a scene as a small encoder to describe it.
        pixels, bands = (zarr.open_array(path / name, mode="r") for name in ("pixels", "band"))
    except (OSError, KeyError, ValueError) as error:
        raise ArchiveError(
            f"{path} is not readable ({error}); delete {folder} and materialize the patches again"
        ) from error
    held = tuple(np.asarray(bands[:]).tolist())
    if held != sensor.band_names:
        raise ArchiveError(f"{path} holds the bands {', '.join(held)}, not {', '.join(sensor.band_names)}")
    return pixels


def _taken(pixels: "zarr.Array[Any]", rows: np.ndarray) -> np.ndarray:
    first, last = int(rows[0]), int(rows[-1])
    # As a slice where they follow each other: zarr takes that ten times as fast as a list of rows.
    follow = np.array_equal(rows, np.arange(first, last + 1))
    return np.asarray(pixels[first : last + 1] if follow else pixels.oindex[rows])
