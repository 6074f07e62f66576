"""A scene's patches to files: one zarr, one table, in a folder named by what it holds."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jepa_core import atomic, tables
from jepa_core.archive.scene import ArchiveError, Fault, Scene
from jepa_core.cutting import CutConfig, CutPatch, Progress, cut
from jepa_core.errors import JepaError
from jepa_core.fingerprint import file_digest, fingerprint, short
from jepa_core.grid import centres
from jepa_core.patch_store import open_pixels
from jepa_core.sensors import Sensor
from jepa_core.splits import split_of_cell
from jepa_core.stages import size_of

_CHUNK = 32
"""Patches in a zarr chunk."""

_SHARD = 8 * _CHUNK
"""Patches in a zarr shard, the unit that is one file: what is held in memory while it is written."""


class UnwantedError(JepaError):
    """A scene can be read, and nothing in it keeps to the thresholds."""


def write_scene(root: Path, scene: Scene, config: CutConfig, faults: list[Fault], progress: Progress) -> dict[str, Any]:
    """Cuts a scene and puts it in place.

    Args:
        root: folder of the sensor's patches.
        scene: the scene.
        config: settings of the cutting.
        faults: gets the ready-cut patches that cannot be read.
        progress: is told how far the cutting is.

    Returns:
        The scene's part of its row in the manifest (schema `tables.SCENES`).

    Raises:
        ArchiveError: the scene cannot be read, or no cell of it was measured.
        UnwantedError: it can, and each cell is cloudier than wanted.
    """
    started = time.perf_counter()
    with atomic.scratch_folder(root / scene.id) as scratch:
        # Laid down flat first: how many patches a scene gives is known when it is cut, and it need not fit in memory.
        staged = scratch / "pixels"
        patches, cloudy = _stage(scene, config, staged, faults, progress)
        if not patches and cloudy:
            raise UnwantedError(f"all {cloudy} cells of {scene.id} are cloudier than {config.max_cloud_fraction:g}")
        if not patches:
            raise ArchiveError(_why_nothing(scene, config, faults))
        table = _patch_table(scene, patches)
        holds = _hash_of(file_digest(staged), table)
        # Named by what it holds: a scene whose files were only touched keeps its folder, and its descriptors.
        folder = root / f"{scene.id}-{short(holds)}"
        with atomic.new_folder(folder) as temporary:
            _write_zarr(temporary / "pixels.zarr", staged, len(patches), scene.sensor, config.grid.patch_pixels)
            tables.write_table(table, tables.PATCHES, temporary / "patches.parquet")
    return {
        "scene_id": scene.id,
        "sensor": scene.sensor.name,
        "time": scene.time,
        "level": scene.product.level,
        "baseline": scene.product.baseline,
        "offset_dn": scene.product.offset_dn,
        "orbit_pass": scene.product.orbit_pass,
        "relative_orbit": scene.product.relative_orbit,
        "holds": holds,
        "folder": folder.name,
        "bytes": size_of(folder),
        "patches": len(patches),
        "seconds": time.perf_counter() - started,
    }


def _why_nothing(scene: Scene, config: CutConfig, faults: Sequence[Fault]) -> str:
    if faults:
        return faults[0].reason
    return f"{scene.id} has no cell with {config.min_valid_fraction:g} of its pixels measured in all bands"


def _stage(
    scene: Scene, config: CutConfig, path: Path, faults: list[Fault], progress: Progress
) -> tuple[list[CutPatch], int]:
    """Writes the pixels of all patches one after the other; gives the patches without them, and how many are cloudy."""
    patches, cloudy = [], 0
    with path.open("wb") as file:
        for patch in cut(scene, config, faults, progress):
            # An unknown fraction is larger than nothing.
            if patch.cloud_fraction > config.max_cloud_fraction:
                cloudy += 1
                continue
            file.write(np.ascontiguousarray(patch.pixels).tobytes())
            patches.append(replace(patch, pixels=np.empty(0)))
    return patches, cloudy


def _hash_of(pixels: str, table: pd.DataFrame) -> str:
    rows = table.to_json(orient="records", date_format="iso", double_precision=15)
    return fingerprint([pixels, rows])


def holds_of(folder: Path, sensor: Sensor) -> str:
    """What the manifest's `holds` says of a scene, taken anew from its files.

    Args:
        folder: the scene's.
        sensor: the sensor, with the bands that the patches were cut with.

    Raises:
        ArchiveError: pixels or table cannot be read.
    """
    path = folder / "patches.parquet"
    try:
        # Not validated, which takes longer than all the rest of a small scene: what was hashed had been.
        table = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(f"{path} is not readable as parquet ({error})") from error
    pixels = open_pixels(folder, sensor)
    digest = hashlib.sha256()
    try:
        for start in range(0, pixels.shape[0], _SHARD):
            digest.update(np.ascontiguousarray(pixels[start : start + _SHARD]).tobytes())
    except (OSError, ValueError, RuntimeError) as error:
        raise ArchiveError(f"the pixels in {folder / 'pixels.zarr'} cannot be read ({error})") from error
    return _hash_of(digest.hexdigest(), table)


def _write_zarr(path: Path, staged: Path, count: int, sensor: Sensor, side: int) -> None:
    """Writes staged pixels shard by shard, so that memory is bounded by a shard."""
    import dask.array as da
    import xarray as xr

    one = (len(sensor.bands), side, side)
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
    # One shard after the other: two at once would double the memory and not halve the time.
    with dask.config.set(scheduler="synchronous"):
        dataset.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)


def _read_staged(path: Path, start: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    # Not a memory map: its pages would count as the process's own until all of the scene lay in memory.
    size = int(np.prod(shape[1:]))
    offset = start * size * np.dtype(dtype).itemsize
    return np.fromfile(path, dtype, count=shape[0] * size, offset=offset).reshape(shape)


def _patch_table(scene: Scene, patches: Sequence[CutPatch]) -> pd.DataFrame:
    rows = []
    places = centres([patch.cell for patch in patches])
    for row, (patch, (lon, lat)) in enumerate(zip(patches, places, strict=True)):
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
                "cloud_fraction": patch.cloud_fraction,
                "labels": list(patch.labels),
                "split": patch.split or split_of_cell(patch.cell.id),
                "partner": patch.partner,
                "row": row,
            }
        )
    return tables.table_of(rows, tables.PATCHES)
