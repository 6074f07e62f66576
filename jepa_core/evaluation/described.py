"""Descriptors of a labelled set's rows."""

from pathlib import Path

import numpy as np

from jepa_core import atomic
from jepa_core.datasets.labelled_set import SPLITS, LabelledSet
from jepa_core.evaluation.describer import Describer
from jepa_core.evaluation.protocols import Vectors
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.vectors import PURPOSES, Purpose, check_unit

_BLOCK = 128
"""Rows described at a time."""


def describe_rows(describer: Describer, data: LabelledSet) -> Vectors:
    """Descriptors of all labelled rows that are in a split.

    Returns:
        By sensor name and kind, NaN in the other rows.

    Raises:
        DescriptorError: the describer gave what is not a finite unit vector.
    """
    rows = _wanted(data)
    return {
        sensor.name: {
            kind: placed(len(data), rows, vectors) for kind, vectors in _vectors(describer, data, sensor, rows).items()
        }
        for sensor in data.sensors
    }


def described_once(folder: Path, describer: Describer, data: LabelledSet) -> Vectors:
    """The same, kept in a folder; what is there is taken as it is.

    Args:
        folder: of this describer and these data; gets a file a sensor and kind.
        describer: makes them.
        data: the set.
    """
    rows = _wanted(data)
    if not folder.exists():
        with atomic.new_folder(folder) as temporary:
            for sensor in data.sensors:
                for kind, vectors in _vectors(describer, data, sensor, rows).items():
                    np.save(temporary / f"{sensor.name}.{kind}.npy", vectors)
    found: dict[str, dict[Purpose, np.ndarray]] = {}
    for sensor in data.sensors:
        paths = {kind: folder / f"{sensor.name}.{kind}.npy" for kind in PURPOSES}
        found[sensor.name] = {
            kind: placed(len(data), rows, np.load(path)) for kind, path in paths.items() if path.exists()
        }
    return found


def placed(total: int, rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors of some rows at their place among all: float32 (total, dimension), NaN in the others."""
    among = np.full((total, vectors.shape[1]), np.nan, np.float32)
    among[rows] = vectors
    return among


def _wanted(data: LabelledSet) -> np.ndarray:
    return data.labelled_rows(*SPLITS)


def _vectors(describer: Describer, data: LabelledSet, sensor: Sensor, rows: np.ndarray) -> dict[Purpose, np.ndarray]:
    parts: dict[Purpose, list[np.ndarray]] = {}
    blocks = data.blocks(sensor, rows, _BLOCK)
    total = -(-len(rows) // _BLOCK)
    for block in track(blocks, f"Describing {sensor.name} by {describer.name}", total=total, unit="block"):
        for kind, vectors in describer.describe(block, sensor).items():
            parts.setdefault(kind, []).append(vectors)
    whole = {kind: np.concatenate(vectors) for kind, vectors in parts.items()}
    for vectors in whole.values():
        check_unit(vectors, f"{describer.name} descriptors of {sensor.name}")
    return whole
