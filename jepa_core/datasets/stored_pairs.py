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
    tables = {}
    for sensor, column in zip(sensors, COLUMNS, strict=True):
        # A table of ten million rows is large: what reading pixels and judging them takes, and no more.
        patches = read_patches(store, sensor, ["patch_id", "scene_id", "row", "labels"]).set_index("patch_id")
        tables[sensor.name] = patches.loc[pairs[column]]
    classes, labels = _labels([table["labels"] for table in tables.values()])
    places = {name: table[["scene_id", "row"]] for name, table in tables.items()}

    def read(sensor: Sensor, rows: np.ndarray) -> np.ndarray:
        return read_pixels(store, sensor, places[sensor.name].iloc[rows])

    return LabelledSet(
        name="archive",
        version=version,
        sensors=sensors,
        classes=classes,
        multi_label=True,
        ids=pairs["patch_a"].to_numpy(dtype=object),
        labels=labels,
        splits=pairs["split"].to_numpy(dtype=object),
        read=read,
        source="the archive of this data root",
    )


def _labels(columns: list[pd.Series]) -> tuple[tuple[str, ...], np.ndarray]:
    """Classes that occur, in the order of the nomenclature, and which of them each row has in either column."""
    rows = len(columns[0])
    named = [column.reset_index(drop=True).explode().dropna() for column in columns]
    both = pd.concat(named)
    there = set(both.unique())
    classes = (*(name for name in BEN19 if name in there), *sorted(there - set(BEN19)))
    labels = np.zeros((rows, len(classes)), bool)
    if classes:
        labels[both.index.to_numpy(), pd.Categorical(both, categories=list(classes)).codes] = True
    return classes, labels
