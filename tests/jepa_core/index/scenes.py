"""Scenes of made-up descriptors, as an index takes them, and what a plain search over them finds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from jepa_core.index import SceneVectors
from jepa_core.vectors import PURPOSES

MODEL = "a" * 64
LABELS = ("Pastures", "Sea and ocean", "Mixed forest", "Vineyards")


def unit(x):
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype("float32")


def table_of_patches(prefix, numbers, day=0):
    """Patches on a line of cells that goes east from 15 degrees, one each hundredth of a degree."""
    numbers = np.asarray(numbers)
    x = 500_000.0 + 1200 * numbers
    return pd.DataFrame(
        {
            "patch_id": [f"{prefix}_{i}" for i in numbers],
            "cell_id": [f"32633-{v:.0f}-5400000-1200" for v in x],
            "time": pd.Series([datetime(2023, 6, 1, 10, tzinfo=UTC) + timedelta(days=day)] * len(numbers)),
            "crs": "EPSG:32633",
            "xmin": x,
            "ymin": 5_398_800.0,
            "xmax": x + 1200,
            "ymax": 5_400_000.0,
            "lon": 15 + numbers / 100,
            "lat": 48.7,
            "valid_fraction": 1 - numbers % 7 / 10,
            "cloud_fraction": [None if i % 5 == 0 else i % 5 / 5 for i in numbers],
            "labels": [[LABELS[i % 4], LABELS[i // 4 % 4]] for i in numbers],
        }
    )


def scene(name, count, seed, dimension=16, first=0, mark=None, kinds=PURPOSES, centres=None, day=0):
    """A scene of `count` patches in the cells from `first` on."""
    rng = np.random.default_rng(seed)
    vectors = {}
    for kind in kinds:
        x = rng.normal(size=(count, dimension))
        if centres is not None:
            x = centres[rng.integers(0, len(centres), count)] + 0.5 * x / dimension**0.5
        # As they are stored, so that cosines are the same to the last digits.
        vectors[kind] = unit(x).astype("float16").astype("float32")
    numbers = range(first, first + count)
    return SceneVectors(name, mark or f"{name}-{seed}", table_of_patches(name, numbers, day), vectors)


def plain_search(scenes, queries, kind, k, keep=None):
    """Ids and cosines of the k nearest patches of some scenes that are to be kept, by numpy alone."""
    ids = [name for s in scenes for name in s.patches["patch_id"]]
    vectors = np.concatenate([s.vectors[kind] for s in scenes])
    kept = np.ones(len(ids), bool)
    if keep is not None:
        kept[:] = [bool(keep(row)) for s in scenes for _, row in s.patches.iterrows()]
    cosines = queries @ vectors.T
    cosines[:, ~kept] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, int(kept.sum()))]
    return [[ids[i] for i in row] for row in order], np.take_along_axis(cosines, order, 1)
