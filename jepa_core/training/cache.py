"""The flat arrays that a training run reads.

Random reads from sharded zarr are many times slower than from a flat file (`make bench`), so the pairs of a split are
laid down once as one memory-mapped array a sensor, row i of each being pair i.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jepa_core import atomic
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import JepaError, NotMaterializedError
from jepa_core.progress import track
from jepa_core.sensors import Sensor, sensor_from_json, sensor_to_json
from jepa_core.statistics import BandStatistics, band_statistics

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


def build_cache(folder: Path, data: LabelledSet, rows: np.ndarray) -> None:
    """Lays down the rows' pixels and takes their statistics; nothing to do where the folder is there.

    Args:
        folder: where the cache goes.
        data: the set.
        rows: those that are wanted.

    Raises:
        NotMaterializedError: no rows.
    """
    if folder.exists():
        return
    if not len(rows):
        raise NotMaterializedError("no training pairs: nothing was paired, or all pairs lie in other splits")
    with atomic.new_folder(folder) as temporary:
        about = {}
        for sensor in data.sensors:
            path = temporary / f"{sensor.name}.npy"
            write_pixels(path, data, sensor, rows)
            statistics = band_statistics(_blocks(np.load(path, mmap_mode="r")), sensor)
            about[sensor.name] = {
                "sensor": sensor_to_json(sensor),
                "statistics": {band: asdict(values) for band, values in statistics.items()},
            }
        atomic.write_json(temporary / "cache.json", about)


def open_cache(folder: Path) -> TrainingCache:
    """The cache in a folder that `build_cache` made.

    Raises:
        JepaError: a file of it is damaged; the message names it.
    """
    fields = atomic.read_json(folder / "cache.json")
    return TrainingCache(
        pixels={name: _pixels(folder / f"{name}.npy") for name in fields},
        sensors={name: sensor_from_json(about["sensor"]) for name, about in fields.items()},
        statistics={
            name: {band: BandStatistics(**values) for band, values in about["statistics"].items()}
            for name, about in fields.items()
        },
    )


def _pixels(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise JepaError(
            f"{path} is damaged ({error}). Delete the folder it is in and run again: it is laid down anew"
        ) from error
    return array


def write_pixels(path: Path, data: LabelledSet, sensor: Sensor, rows: np.ndarray) -> None:
    """Lays down the pixels of at least one row as one array, a block at a time."""
    array, start = None, 0
    blocks = data.blocks(sensor, rows, _BLOCK)
    for block in track(blocks, f"Caching {sensor.name}", total=-(-len(rows) // _BLOCK), unit="block"):
        if array is None:
            shape = (len(rows), *block.shape[1:])
            array = np.lib.format.open_memmap(path, mode="w+", dtype=block.dtype, shape=shape)
        array[start : start + len(block)] = block
        start += len(block)
    assert array is not None
    array.flush()


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(array), _BLOCK):
        yield array[start : start + _BLOCK]
