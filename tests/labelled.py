"""Small labelled sets in memory: what an image shows hangs on its class, and both images of a pair show the same."""

from collections.abc import Mapping

import numpy as np

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor

_SPLIT_PATTERN = np.array(["train"] * 5 + ["val"] * 2 + ["test"] * 3)


def labelled_set(
    rows: int = 80,
    sensors: tuple[Sensor, ...] = (SENTINEL1, SENTINEL2),
    side: int | Mapping[str, int] = 16,
    classes: int = 4,
    seed: int = 0,
    multi_label: bool = False,
    unlabelled: float = 0.0,
    missing: float = 0.0,
    noise: float = 0.5,
) -> LabelledSet:
    """Gives a set whose classes differ in the bands' levels and in the direction and width of stripes.

    Every class is equally frequent in every split; of ten rows of a class five are for training, two for validation
    and three for testing. Pixels of a row depend on seed, sensor and row alone.

    Args:
        rows: pairs, or images of one sensor.
        sensors: one, or two of a pair; any bands, values lie about the middle of each band's `mean_range`.
        side: of the images, in pixels; by sensor name where sensors differ.
        classes: number of classes.
        seed: of all that is random.
        multi_label: gives rows a second class, whose look is added.
        unlabelled: share of rows without a class, from 0 to 1; they look like those with one.
        missing: share of rows whose first quarter has no measurement, where the sensor can say so.
        noise: standard deviation of each pixel, over that of what classes make.
    """
    about = [rows, [s.name for s in sensors], side, classes, seed, multi_label, unlabelled, missing, noise]
    rng = np.random.default_rng(seed)
    index = np.arange(rows)
    shown = np.zeros((rows, classes), dtype=bool)
    shown[index, index % classes] = True
    if multi_label:
        shown[index, rng.integers(0, classes, rows)] = True
    labels = shown & (rng.random(rows) >= unlabelled)[:, None]
    holes = rng.random(rows) < missing
    looks = {s.name: rng.normal(size=(classes, len(s.bands))) for s in sensors}
    sides = {s.name: side if isinstance(side, int) else side[s.name] for s in sensors}

    def image(sensor: Sensor, row: int) -> np.ndarray:
        # What both images of a pair share is drawn first, from the row alone.
        pair = np.random.default_rng([seed, row])
        light, phase = pair.normal(0, 0.5), pair.uniform(0, 2 * np.pi)
        own = np.random.default_rng([seed, row, 1 + [s.name for s in sensors].index(sensor.name)])
        n = sides[sensor.name]
        y, x = np.mgrid[:n, :n] / n
        values = np.full((len(sensor.bands), n, n), light)
        for kind in np.flatnonzero(shown[row]):
            angle = np.pi * kind / classes
            stripes = np.sin(2 * np.pi * (1 + kind % 3) * (np.cos(angle) * x + np.sin(angle) * y) + phase)
            values += looks[sensor.name][kind][:, None, None] * (1 + 0.5 * stripes)
        values += own.normal(0, noise, values.shape)
        low, high = np.array([band.mean_range for band in sensor.bands]).T[..., None, None]
        pixels = (low + high) / 2 + (high - low) / 30 * values
        if np.dtype(sensor.dtype).kind in "iu":
            pixels = np.clip(np.rint(pixels), 1, np.iinfo(sensor.dtype).max)
        pixels = pixels.astype(sensor.dtype)
        gap = np.nan if sensor.nodata is None else sensor.nodata
        if holes[row] and (sensor.nodata is not None or pixels.dtype.kind == "f"):
            pixels[:, : n // 2, : n // 2] = gap
        return pixels

    def read(sensor: Sensor, wanted: np.ndarray) -> np.ndarray:
        n = sides[sensor.name]
        if not len(wanted):
            return np.empty((0, len(sensor.bands), n, n), dtype=sensor.dtype)
        return np.stack([image(sensor, int(row)) for row in wanted])

    return LabelledSet(
        name="stripes",
        version=fingerprint(["stripes", about]),
        sensors=sensors,
        classes=tuple(f"class {kind}" for kind in range(classes)),
        multi_label=multi_label,
        ids=np.array([f"row {row:05d}" for row in index]),
        labels=labels,
        splits=_SPLIT_PATTERN[index // classes % len(_SPLIT_PATTERN)],
        read=read,
        source="drawn for tests",
    )
