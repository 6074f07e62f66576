"""Scenes to patches: one zarr and one table a scene, a row in the sensor's manifest when both are in place."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd

from jepa_core import atomic, tables, versions
from jepa_core.archive.scene import ArchiveError, ReadyPatch, Scene
from jepa_core.errors import NotMaterializedError
from jepa_core.fingerprint import fingerprint, short
from jepa_core.grid import PATCH_PIXELS, RESOLUTION_M
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.splits import split_of_cell
from jepa_core.stages import size_of
from jepa_core.store import Store

_CHUNK = 32
"""Patches in a zarr chunk."""

_SHARD = 16 * _CHUNK
"""Patches in a zarr shard, the unit that is one file."""

_PLACE_TOLERANCE_M = 0.5
"""How far a raster may lie from where its metadata say."""

_COMMIT_SECONDS = 5.0
"""The manifest is written at least this often: what a kill can cost."""


@dataclass(frozen=True)
class ExtractionSummary:
    """What an extraction did."""

    scenes: int
    """Scenes in the manifest afterwards."""

    patches: int
    """Patches in the manifest afterwards."""

    scenes_new: int
    """Scenes that were cut now, because they were new or had changed."""

    scenes_withdrawn: int
    """Scenes that the archive no longer holds."""


def extract(store: Store, scenes: Sequence[Scene], sensor: Sensor) -> ExtractionSummary:
    """Brings the sensor's patches in line with the archive's scenes; only what is new or changed is read.

    Args:
        store: the data root.
        scenes: all scenes of the sensor in the archive.
        sensor: the sensor.

    Raises:
        ArchiveError: a band file cannot be read, or is not of the patch's place or size.
    """
    root = store.patches(sensor)
    known = {row["scene_id"]: row for row in tables.records(read_manifest(store, sensor))}
    wanted = {scene.id: (scene, _scene_fingerprint(scene)) for scene in scenes}
    withdrawn = [scene_id for scene_id in known if scene_id not in wanted]
    rows = {scene_id: row for scene_id, row in known.items() if scene_id in wanted}
    todo = [
        (scene, scene_fingerprint)
        for scene, scene_fingerprint in wanted.values()
        if scene.id not in rows
        or rows[scene.id]["fingerprint"] != scene_fingerprint
        or size_of(root / rows[scene.id]["folder"]) != rows[scene.id]["bytes"]
    ]
    if withdrawn:
        _write_manifest(root, rows)
    committed = time.monotonic()
    for scene, scene_fingerprint in track(todo, f"Cutting {sensor.name}", unit="scene"):
        rows[scene.id] = _extract_scene(root, scene, scene_fingerprint)
        if time.monotonic() - committed > _COMMIT_SECONDS:
            _write_manifest(root, rows)
            committed = time.monotonic()
    if todo:
        _write_manifest(root, rows)
    _sweep(root, rows)
    return ExtractionSummary(
        scenes=len(rows),
        patches=sum(row["patches"] for row in rows.values()),
        scenes_new=len(todo),
        scenes_withdrawn=len(withdrawn),
    )


def read_manifest(store: Store, sensor: Sensor) -> pd.DataFrame:
    """The sensor's manifest (schema `tables.SCENES`); empty before the first extraction."""
    path = store.patches(sensor) / "manifest.parquet"
    if not path.exists():
        return _scene_table([])
    return tables.read_table(path, tables.SCENES)


def scene_files(store: Store, sensor: Sensor) -> list[Path]:
    """The manifest and all that it names: what must be there for an extraction to stand."""
    root = store.patches(sensor)
    folders = read_manifest(store, sensor)["folder"]
    return [root / "manifest.parquet", *(root / folder for folder in folders)]


def patches_version(store: Store, sensor: Sensor) -> str:
    """Data version of a sensor's patches: of what they hold, not of how or when they came about."""
    manifest = read_manifest(store, sensor)
    return fingerprint(sorted(zip(manifest["scene_id"], manifest["holds"], strict=True)))


def read_patches(store: Store, sensor: Sensor) -> pd.DataFrame:
    """All patches in the sensor's manifest (schema `tables.PATCHES`), sorted by id.

    Raises:
        NotMaterializedError: nothing was extracted yet.
    """
    manifest = read_manifest(store, sensor)
    if manifest.empty:
        raise NotMaterializedError(
            f"no {sensor.name} patches in {store.root}. Run: dagster asset materialize --select {sensor.name}_patches"
        )
    root = store.patches(sensor)
    paths = [root / folder / "patches.parquet" for folder in manifest["folder"]]
    table = tables.read_tables(paths, tables.PATCHES, f"{sensor.name} patches")
    return table.sort_values("patch_id", ignore_index=True)


def read_pixels(store: Store, sensor: Sensor, rows: pd.DataFrame) -> np.ndarray:
    """Pixels of patches, in the order of `rows`.

    Args:
        store: the data root.
        sensor: the sensor.
        rows: rows of the patch table.

    Returns:
        Array of shape (patches, bands, y, x) in the sensor's dtype, unit and band order.

    Raises:
        ArchiveError: a scene's zarr holds other bands than the sensor has.
    """
    import xarray as xr

    root = store.patches(sensor)
    manifest = read_manifest(store, sensor)
    folders = dict(zip(manifest["scene_id"], manifest["folder"], strict=True))
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for scene_id in rows["scene_id"].unique():
        positions = np.flatnonzero(rows["scene_id"] == scene_id)
        path = root / folders[scene_id] / "pixels.zarr"
        with xr.open_zarr(path, consolidated=False) as dataset:
            if tuple(dataset["band"].to_numpy().tolist()) != sensor.band_names:
                raise ArchiveError(f"{path} holds the bands {dataset['band'].to_numpy().tolist()}")
            wanted = rows["row"].to_numpy()[positions]
            parts.append((positions, dataset["pixels"].isel(patch=wanted).to_numpy()))
    pixels = np.empty((len(rows), *parts[0][1].shape[1:]), dtype=sensor.dtype)
    for positions_of_scene, values in parts:
        pixels[positions_of_scene] = values
    return pixels


def _scene_fingerprint(scene: Scene) -> str:
    return fingerprint({"content": scene.content(), "version": versions.PATCHES})


def _extract_scene(root: Path, scene: Scene, scene_fingerprint: str) -> dict[str, Any]:
    started = time.perf_counter()
    # Threads suffice: rasterio lets go of the interpreter while GDAL reads and decodes.
    read = [dask.delayed(_read_patch)(patch, scene.sensor) for patch in scene.patches]
    pixels = np.stack(dask.compute(*read, scheduler="threads"))
    table = _patch_table(scene, pixels)
    holds = _hash_of(pixels, table)
    # Named by what it holds: a scene whose files were only touched keeps its folder, and its descriptors.
    folder = root / f"{scene.id}-{short(holds)}"
    with atomic.new_folder(folder) as temporary:
        _write_zarr(temporary / "pixels.zarr", pixels, scene.sensor)
        tables.write_table(table, tables.PATCHES, temporary / "patches.parquet")
    return {
        "scene_id": scene.id,
        "sensor": scene.sensor.name,
        "time": scene.time,
        "fingerprint": scene_fingerprint,
        "holds": holds,
        "folder": folder.name,
        "bytes": size_of(folder),
        "patches": len(scene.patches),
        "seconds": time.perf_counter() - started,
    }


def _hash_of(pixels: np.ndarray, table: pd.DataFrame) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes())
    digest.update(table.to_json(orient="records", date_format="iso", double_precision=15).encode())
    return digest.hexdigest()


def _read_patch(patch: ReadyPatch, sensor: Sensor) -> np.ndarray:
    """One patch as (bands, y, x) at 10 m; coarser bands are interpolated bilinearly within the patch."""
    import rasterio
    from rasterio.enums import Resampling

    side = PATCH_PIXELS
    if abs(patch.cell.xmax - patch.cell.xmin - side * RESOLUTION_M) > _PLACE_TOLERANCE_M:
        raise ArchiveError(
            f"{patch.name} is {patch.cell.xmax - patch.cell.xmin:.0f} m wide; "
            f"only patches of {side * RESOLUTION_M:.0f} m are read"
        )
    place = (patch.cell.xmin, patch.cell.ymin, patch.cell.xmax, patch.cell.ymax)
    pixels = np.empty((len(sensor.bands), side, side), dtype=sensor.dtype)
    for i, band in enumerate(sensor.band_names):
        path = patch.bands[band].path
        try:
            with rasterio.open(path) as file:
                placed = np.allclose(file.bounds, place, atol=_PLACE_TOLERANCE_M)
                if not placed or file.crs is None or file.crs.to_epsg() != patch.cell.epsg:
                    raise ArchiveError(f"{path} lies at {file.crs} {tuple(file.bounds)}, its metadata say {patch.cell}")
                # A band at 10 m already has this size and is taken as it is.
                pixels[i] = file.read(1, out_shape=(side, side), resampling=Resampling.bilinear)
        except rasterio.errors.RasterioError as error:
            raise ArchiveError(f"{path} cannot be read as a raster: {error}") from error
    return pixels


def _write_zarr(path: Path, pixels: np.ndarray, sensor: Sensor) -> None:
    import xarray as xr

    count, bands, height, width = pixels.shape
    chunk = min(_CHUNK, count)
    shard = min(_SHARD, -(-count // chunk) * chunk)
    dataset = xr.Dataset(
        {"pixels": (("patch", "band", "y", "x"), pixels, {"unit": sensor.bands[0].unit})},
        coords={"band": ("band", np.array(sensor.band_names, dtype=object))},
        attrs={"sensor": sensor.name},
    )
    encoding = {"pixels": {"chunks": (chunk, bands, height, width), "shards": (shard, bands, height, width)}}
    # Consolidated metadata is not part of the zarr 3 format.
    dataset.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)


def valid_mask(pixels: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Where all bands hold a measurement. Level-2A has no measured value of 0: water, too, is at least 1.

    Args:
        pixels: (..., bands, y, x) in the sensor's unit.
        sensor: the sensor, whose `nodata` marks what is missing.

    Returns:
        Booleans of shape (..., y, x).
    """
    present = np.isfinite(pixels) if sensor.nodata is None else pixels != sensor.nodata
    return np.asarray(present.all(axis=-3))


def _patch_table(scene: Scene, pixels: np.ndarray) -> pd.DataFrame:
    valid = valid_mask(pixels, scene.sensor).mean(axis=(-2, -1))
    table = pd.DataFrame(
        [
            {
                "patch_id": patch.name,
                "scene_id": scene.id,
                "sensor": scene.sensor.name,
                "cell_id": patch.cell.id,
                "time": scene.time,
                "crs": f"EPSG:{patch.cell.epsg}",
                "xmin": patch.cell.xmin,
                "ymin": patch.cell.ymin,
                "xmax": patch.cell.xmax,
                "ymax": patch.cell.ymax,
                "lon": patch.cell.centre[0],
                "lat": patch.cell.centre[1],
                "valid_fraction": float(valid[row]),
                # A ready-made set carries no scene classification to count clouds in.
                "cloud_fraction": float("nan"),
                "labels": list(patch.labels),
                "split": patch.split or split_of_cell(patch.cell.id),
                "partner": patch.partner,
                "row": row,
            }
            for row, patch in enumerate(scene.patches)
        ]
    )
    return table.astype({"time": tables.UTC_TIME, "partner": "str"})


def _scene_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(tables.SCENES.columns))
    table["time"] = pd.to_datetime(table["time"], utc=True)
    text = ("scene_id", "sensor", "fingerprint", "holds", "folder")
    return table.astype(
        {
            **dict.fromkeys(text, "str"),
            "time": tables.UTC_TIME,
            "patches": "int64",
            "seconds": "float64",
        }
    )


def _write_manifest(root: Path, rows: dict[str, dict[str, Any]]) -> None:
    table = _scene_table([rows[scene_id] for scene_id in sorted(rows)])
    tables.write_table(table, tables.SCENES, root / "manifest.parquet")


def _sweep(root: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Removes folders that the manifest does not name: withdrawn, replaced, or left by a killed run."""
    import shutil

    named = {row["folder"] for row in rows.values()}
    for folder in root.iterdir() if root.exists() else []:
        if folder.is_dir() and folder.name not in named:
            shutil.rmtree(folder)
