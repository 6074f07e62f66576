"""Searches of the test split as pictures, for people to judge what figures do not say."""

import numpy as np
import pandas as pd

from jepa_core.descriptors import read_descriptors
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.pictures import Tile, contact_sheet, preview
from jepa_core.sensors import Sensor
from jepa_core.store import Store

_HITS = 5


def example_searches(
    store: Store,
    variant: str,
    model_fingerprint: str,
    pairs: pd.DataFrame,
    sensors: tuple[Sensor, Sensor],
    count: int = 5,
) -> bytes:
    """Test patches of the first sensor, evenly spread, each with its nearest test patches of the second, as PNG.

    Args:
        store: the data root, with the model's descriptors.
        variant: name of the method.
        model_fingerprint: of the model.
        pairs: all pairs (schema `tables.PAIRS`).
        sensors: of `patch_a` and `patch_b`.
        count: queries shown.
    """
    test = pairs[pairs["split"] == "test"]
    vectors, patches = {}, {}
    for sensor, column in zip(sensors, ("patch_a", "patch_b"), strict=True):
        found = read_descriptors(store, variant, model_fingerprint, sensor)
        rows = np.searchsorted(found.patch_ids, test[column].to_numpy(dtype=object))
        vectors[sensor.name] = found.serving("cross")[rows]
        patches[sensor.name] = read_patches(store, sensor).set_index("patch_id", drop=False).loc[test[column]]
    query, gallery = sensors
    cosines = vectors[query.name] @ vectors[gallery.name].T
    queries = np.unique(np.linspace(0, len(test) - 1, min(count, len(test))).astype(int))
    sheet = []
    for i in queries:
        nearest = np.argsort(-cosines[i], kind="stable")[:_HITS]
        hits = patches[gallery.name].iloc[nearest]
        own = patches[query.name].iloc[[i]]
        row = [Tile(preview(read_pixels(store, query, own)[0], query), f"QUERY\n{', '.join(own['labels'].iloc[0])}")]
        for j, pixels, labels in zip(nearest, read_pixels(store, gallery, hits), hits["labels"], strict=True):
            caption = f"cosine {cosines[i, j]:.2f}\n{', '.join(labels)}"
            row.append(Tile(preview(pixels, gallery), caption, framed=bool(i == j)))
        sheet.append(row)
    return contact_sheet(f"{query.name} queries, {gallery.name} test patches (framed: the paired patch)", sheet)
