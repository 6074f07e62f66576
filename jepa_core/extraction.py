"""Scenes to patches: one zarr and one table a scene, a row in the sensor's manifest when both are in place."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd

from jepa_core import atomic, tables, versions
from jepa_core.archive.scene import ArchiveError, Scene
from jepa_core.cutting import CutPatch, cut
from jepa_core.errors import NotMaterializedError
from jepa_core.fingerprint import file_digest, fingerprint, short
from jepa_core.grid import PATCH_PIXELS
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.splits import split_of_cell
from jepa_core.stages import size_of
from jepa_core.store import Store

_CHUNK = 32
"""Patches in a zarr chunk."""

_SHARD = 16 * _CHUNK
"""Patches in a zarr shard, the unit that is one file."""

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
    with atomic.scratch_folder(root / scene.id) as scratch:
        # Laid down flat first: how many patches a scene gives is known when it is cut, and it need not fit in memory.
        staged = scratch / "pixels"
        patches = _stage(scene, staged)
        table = _patch_table(scene, patches)
        holds = _hash_of(staged, table)
        # Named by what it holds: a scene whose files were only touched keeps its folder, and its descriptors.
        folder = root / f"{scene.id}-{short(holds)}"
        with atomic.new_folder(folder) as temporary:
            _write_zarr(temporary / "pixels.zarr", staged, len(patches), scene.sensor)
            tables.write_table(table, tables.PATCHES, temporary / "patches.parquet")
    return {
        "scene_id": scene.id,
        "sensor": scene.sensor.name,
        "time": scene.time,
        "fingerprint": scene_fingerprint,
        "holds": holds,
        "folder": folder.name,
        "bytes": size_of(folder),
        "patches": len(patches),
        "seconds": time.perf_counter() - started,
    }


def _stage(scene: Scene, path: Path) -> list[CutPatch]:
    """Writes the pixels of all patches one after the other, and gives the patches without them."""
    patches = []
    with path.open("wb") as file:
        for patch in cut(scene):
            file.write(np.ascontiguousarray(patch.pixels).tobytes())
            patches.append(replace(patch, pixels=np.empty(0)))
    return patches


def _hash_of(pixels: Path, table: pd.DataFrame) -> str:
    rows = table.to_json(orient="records", date_format="iso", double_precision=15)
    return fingerprint([file_digest(pixels), rows])


def _write_zarr(path: Path, staged: Path, count: int, sensor: Sensor) -> None:
    """Writes staged pixels shard by shard, so that memory is bounded by a few shards."""
    import dask.array as da
    import xarray as xr

    one = (len(sensor.bands), PATCH_PIXELS, PATCH_PIXELS)
    chunk = max(min(_CHUNK, count), 1)
    shard = min(_SHARD, max(-(-count // chunk), 1) * chunk)

    def block(start: int) -> da.Array:
        shape = (min(shard, count - start), *one)
        read = dask.delayed(_read_staged)(staged, start, shape, sensor.dtype)
        return da.from_delayed(read, shape, sensor.dtype)

    blocks = [block(start) for start in range(0, count, shard)]
    pixels = da.concatenate(blocks) if blocks else da.empty((0, *one), dtype=sensor.dtype)
    dataset = xr.Dataset(
        {"pixels": (("patch", "band", "y", "x"), pixels, {"unit": sensor.bands[0].unit})},
        coords={"band": ("band", np.array(sensor.band_names, dtype=object))},
        attrs={"sensor": sensor.name},
    )
    encoding = {"pixels": {"chunks": (chunk, *one), "shards": (shard, *one)}}
    # Consolidated metadata is not part of the zarr 3 format.
    dataset.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)


def _read_staged(path: Path, start: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    # Not a memory map: its pages would count as the process's own until all of the scene lay in memory.
    size = int(np.prod(shape[1:]))
    offset = start * size * np.dtype(dtype).itemsize
    return np.fromfile(path, dtype, count=shape[0] * size, offset=offset).reshape(shape)


def _patch_table(scene: Scene, patches: Sequence[CutPatch]) -> pd.DataFrame:
    rows = []
    for row, patch in enumerate(patches):
        lon, lat = patch.cell.centre
        rows.append(
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
                "lon": lon,
                "lat": lat,
                "valid_fraction": patch.valid_fraction,
                # No archive that is read so far carries a scene classification to count clouds in.
                "cloud_fraction": float("nan"),
                "labels": list(patch.labels),
                "split": patch.split or split_of_cell(patch.cell.id),
                "partner": patch.partner,
                "row": row,
            }
        )
    table = pd.DataFrame(rows, columns=list(tables.PATCHES.columns))
    text = ("patch_id", "scene_id", "sensor", "cell_id", "crs", "split", "partner")
    numbers = ("xmin", "ymin", "xmax", "ymax", "lon", "lat", "valid_fraction", "cloud_fraction")
    kinds = dict.fromkeys(text, "str") | dict.fromkeys(numbers, "float64") | {"row": "int64"}
    table["time"] = pd.to_datetime(table["time"], utc=True)
    return table.astype({**kinds, "time": tables.UTC_TIME})


def _scene_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(tables.SCENES.columns))
    table["time"] = pd.to_datetime(table["time"], utc=True)
    text = ("scene_id", "sensor", "fingerprint", "holds", "folder")
    return table.astype(
        {
            **dict.fromkeys(text, "str"),
            "time": tables.UTC_TIME,
            "bytes": "int64",
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
