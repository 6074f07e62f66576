"""The pairs of a data root as a labelled set: what Dagster's chain trains on and benchmarks."""

import numpy as np
import pandas as pd

from jepa_core.archive.nomenclature import BEN19
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import Sensor
from jepa_core.store import Store

COLUMNS = ("patch_a", "patch_b")
"""Of the table of pairs, in the order of the sensors."""


def stored_pairs(store: Store, pairs: pd.DataFrame, sensors: tuple[Sensor, Sensor], version: str) -> LabelledSet:
    """Pairs with the labels that either patch has; a pair's id is that of its first patch.

    Args:
        store: the data root.
        pairs: rows of the table of pairs (schema `tables.PAIRS`).
        sensors: of `patch_a` and `patch_b`, with the bands that the patches were cut with.
        version: data version of the pairs.
    """
    tables = {
        sensor.name: read_patches(store, sensor).set_index("patch_id", drop=False).loc[pairs[column]]
        for sensor, column in zip(sensors, COLUMNS, strict=True)
    }
    named = [{*a, *b} for a, b in zip(*(table["labels"] for table in tables.values()), strict=True)]
    there = set().union(*named)
    classes = (*(name for name in BEN19 if name in there), *sorted(there - set(BEN19)))

    def read(sensor: Sensor, rows: np.ndarray) -> np.ndarray:
        return read_pixels(store, sensor, tables[sensor.name].iloc[rows])

    return LabelledSet(
        name="archive",
        version=version,
        sensors=sensors,
        classes=classes,
        multi_label=True,
        ids=pairs["patch_a"].to_numpy(dtype=object),
        labels=np.array([[name in of_pair for name in classes] for of_pair in named], bool).reshape(len(pairs), -1),
        splits=pairs["split"].to_numpy(dtype=object),
        read=read,
        source="the archive of this data root",
    )
