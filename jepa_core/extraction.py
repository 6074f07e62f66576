"""Scenes to patches: one zarr and one table a scene, a row in the sensor's manifest when both are in place."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd

from jepa_core import atomic, tables, versions
from jepa_core.archive.scene import ArchiveError, ReadyPatch, Scene
from jepa_core.fingerprint import fingerprint, short
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.splits import split_of_cell
from jepa_core.store import Store

_CHUNK = 32
"""Patches in a zarr chunk."""

_SHARD = 16 * _CHUNK
"""Patches in a zarr shard, the unit that is one file."""

_PARTS = ("pixels.zarr", "patches.parquet")
"""What a scene's folder holds."""

_COMMIT_SECONDS = 5.0
"""The manifest is written at least this often: what a kill can cost."""


@dataclass(frozen=True)
class ExtractionConfig:
    """Settings of the cut."""

    patch_pixels: int = 120
    """Side of a patch, pixels of 10 m (BigEarthNet's, and CSMAE's input)."""


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


def extract(store: Store, scenes: Sequence[Scene], sensor: Sensor, config: ExtractionConfig) -> ExtractionSummary:
    """Brings the sensor's patches in line with the archive's scenes; only what is new or changed is read.

    Args:
        store: the data root.
        scenes: all scenes of the sensor in the archive.
        sensor: the sensor.
        config: the settings of the cut; another setting cuts everything again.

    Raises:
        ArchiveError: a band file cannot be read, or is not of the patch's place or size.
    """
    root = store.patches(sensor)
    known = {row["scene_id"]: row for row in tables.records(read_manifest(store, sensor))}
    wanted = {scene.id: (scene, _scene_fingerprint(scene, config)) for scene in scenes}
    withdrawn = [scene_id for scene_id in known if scene_id not in wanted]
    rows = {scene_id: row for scene_id, row in known.items() if scene_id in wanted}
    todo = [
        (scene, scene_fingerprint)
        for scene, scene_fingerprint in wanted.values()
        if scene.id not in rows
        or rows[scene.id]["fingerprint"] != scene_fingerprint
        or not all((root / rows[scene.id]["folder"] / part).exists() for part in _PARTS)
    ]
    if withdrawn:
        _write_manifest(root, rows)
    committed = time.monotonic()
    for scene, scene_fingerprint in track(todo, f"Cutting {sensor.name}", unit="scene"):
        rows[scene.id] = _extract_scene(root, scene, scene_fingerprint, config)
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
    return [root / "manifest.parquet", *(root / folder / part for folder in folders for part in _PARTS)]


def read_patches(store: Store, sensor: Sensor) -> pd.DataFrame:
    """All patches in the sensor's manifest (schema `tables.PATCHES`), sorted by id.

    Raises:
        FileNotFoundError: nothing was extracted yet.
    """
    manifest = read_manifest(store, sensor)
    if manifest.empty:
        raise FileNotFoundError(f"no {sensor.name} patches in {store.root}: extract them first")
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


def _scene_fingerprint(scene: Scene, config: ExtractionConfig) -> str:
    return fingerprint({"content": scene.content(), "config": asdict(config), "version": versions.PATCHES})


def _extract_scene(root: Path, scene: Scene, scene_fingerprint: str, config: ExtractionConfig) -> dict[str, Any]:
    started = time.perf_counter()
    folder = root / f"{scene.id}-{short(scene_fingerprint)}"
    # Threads suffice: rasterio lets go of the interpreter while GDAL reads and decodes.
    read = [dask.delayed(_read_patch)(patch, scene.sensor, config) for patch in scene.patches]
    pixels = np.stack(dask.compute(*read, scheduler="threads"))
    with atomic.new_folder(folder) as temporary:
        _write_zarr(temporary / "pixels.zarr", pixels, scene.sensor)
        tables.write_table(_patch_table(scene, pixels), tables.PATCHES, temporary / "patches.parquet")
    return {
        "scene_id": scene.id,
        "sensor": scene.sensor.name,
        "time": scene.time,
        "content": scene.content(),
        "fingerprint": scene_fingerprint,
        "folder": folder.name,
        "patches": len(scene.patches),
        "seconds": time.perf_counter() - started,
    }


def _read_patch(patch: ReadyPatch, sensor: Sensor, config: ExtractionConfig) -> np.ndarray:
    """One patch as (bands, y, x); bands coarser than 10 m are interpolated bilinearly within the patch."""
    import rasterio
    from rasterio.enums import Resampling

    side = config.patch_pixels
    pixels = np.empty((len(sensor.bands), side, side), dtype=sensor.dtype)
    for i, band in enumerate(sensor.band_names):
        path = patch.bands[band].path
        try:
            with rasterio.open(path) as file:
                placed = np.allclose(
                    file.bounds,
                    (patch.cell.xmin, patch.cell.ymin, patch.cell.xmax, patch.cell.ymax),
                    atol=0.5,
                )
                if not placed or file.crs is None or file.crs.to_epsg() != patch.cell.epsg:
                    raise ArchiveError(f"{path} lies at {file.crs} {tuple(file.bounds)}, its metadata say {patch.cell}")
                # GDAL takes a size that equals the file's as is; only coarser bands are resampled.
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
    """Where all bands hold a measurement.

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
    text = ("scene_id", "sensor", "content", "fingerprint", "folder")
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
