"""The flat arrays that a training run reads.

Random reads from sharded zarr are many times slower than from a flat file (`make bench`), so the pairs of a split are
laid down once as one memory-mapped array a sensor, row i of each being pair i.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jepa_core import atomic
from jepa_core.errors import NotMaterializedError
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.progress import track
from jepa_core.sensors import Sensor, sensor_from_json, sensor_to_json
from jepa_core.statistics import BandStatistics, band_statistics
from jepa_core.store import Store

_BLOCK = 256
"""Pairs read at a time."""


@dataclass(frozen=True)
class TrainingCache:
    """Pairs of one split, ready to be read at random."""

    pixels: dict[str, np.ndarray]
    """By sensor name: memory-mapped (pairs, bands, y, x) in the sensor's unit."""

    sensors: dict[str, Sensor]
    """By sensor name: the bands that the pixels hold."""

    statistics: dict[str, dict[str, BandStatistics]]
    """By sensor and band name, over these pairs."""

    def __len__(self) -> int:
        """Number of pairs."""
        return len(next(iter(self.pixels.values())))


def build_cache(store: Store, folder: Path, pairs: pd.DataFrame, sensors: tuple[Sensor, Sensor]) -> None:
    """Lays down the pairs' pixels and takes their statistics; nothing to do where the folder is there.

    Args:
        store: the data root.
        folder: where the cache goes.
        pairs: rows of one split (schema `tables.PAIRS`).
        sensors: sensors of `patch_a` and `patch_b`.

    Raises:
        NotMaterializedError: no pairs.
    """
    if folder.exists():
        return
    if pairs.empty:
        raise NotMaterializedError("no training pairs: nothing was paired, or all pairs lie in other splits")
    with atomic.new_folder(folder) as temporary:
        statistics = {}
        for sensor, column in zip(sensors, ("patch_a", "patch_b"), strict=True):
            patches = read_patches(store, sensor).set_index("patch_id", drop=False)
            rows = patches.loc[pairs[column]]
            path = temporary / f"{sensor.name}.npy"
            _write_array(path, store, sensor, rows)
            array = np.load(path, mmap_mode="r")
            statistics[sensor.name] = band_statistics(_blocks(array), sensor)
        about = {
            sensor.name: {
                "sensor": sensor_to_json(sensor),
                "statistics": {band: asdict(values) for band, values in statistics[sensor.name].items()},
            }
            for sensor in sensors
        }
        atomic.write_json(temporary / "cache.json", about)


def open_cache(folder: Path) -> TrainingCache:
    """The cache in a folder that `build_cache` made."""
    fields = atomic.read_json(folder / "cache.json")
    return TrainingCache(
        pixels={name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in fields},
        sensors={name: sensor_from_json(about["sensor"]) for name, about in fields.items()},
        statistics={
            name: {band: BandStatistics(**values) for band, values in about["statistics"].items()}
            for name, about in fields.items()
        },
    )


def _write_array(path: Path, store: Store, sensor: Sensor, rows: pd.DataFrame) -> None:
    array = None
    starts = range(0, len(rows), _BLOCK)
    for start in track(starts, f"Caching {sensor.name}", unit="block"):
        block = read_pixels(store, sensor, rows.iloc[start : start + _BLOCK])
        if array is None:
            shape = (len(rows), *block.shape[1:])
            array = np.lib.format.open_memmap(path, mode="w+", dtype=block.dtype, shape=shape)
        array[start : start + len(block)] = block
    assert array is not None
    array.flush()


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(array), _BLOCK):
        yield array[start : start + _BLOCK]
