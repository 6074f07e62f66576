"""Benchmark of one model on the test split: four directions, beside chance and a baseline without training."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jepa_core.archive.nomenclature import BEN19
from jepa_core.descriptors import read_descriptors
from jepa_core.errors import JepaError
from jepa_core.evaluation import baselines
from jepa_core.evaluation.pair_f1 import chance_f1, f1_at_k, pair_f1, rank
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.vectors import Purpose, serving

K = 5
"""Depth of the main figure, as CR-JEPA and X-JEPA report it."""

_BLOCK = 256
"""Patches read at a time."""


class BenchmarkError(JepaError):
    """The data do not allow the benchmark."""


@dataclass(frozen=True)
class Result:
    """One direction under one protocol, with one kind of descriptor."""

    query: str
    """Name of the queries' sensor."""

    gallery: str
    """Name of the gallery's sensor."""

    pair: str
    """`kept` or `removed`: whether the query's paired patch may be a hit; `self removed` within a sensor."""

    head: Purpose
    """The kind of descriptor that was compared."""

    serves: bool
    """Whether that kind is the one which searches of this direction use; the figures of the others are for study."""

    queries: int
    """Number of queries."""

    gallery_size: int
    """Patches that a query chooses from."""

    f1_at_5: float
    """F1@5 by definition A, mean over queries."""

    chance: float
    """Exact expectation of a random ranking."""

    band_statistics: float
    """F1@5 of band means and deviations; across sensors through a ridge regression on the training pairs."""


@dataclass(frozen=True)
class _Side:
    sensor: Sensor
    test: np.ndarray
    """Statistics of the test patches."""
    train: np.ndarray
    """Statistics of the training patches, by training pair."""
    vectors: dict[Purpose, np.ndarray]
    """Descriptors of the test patches, by kind."""
    labels: np.ndarray
    """Booleans (test patches, classes)."""


def run_benchmark(
    store: Store,
    variant: str,
    model_fingerprint: str,
    pairs: pd.DataFrame,
    sensors: tuple[Sensor, Sensor],
) -> list[Result]:
    """F1@5 on the labelled test pairs, with each kind of descriptor that the model has.

    Queries and gallery are the same patches.

    Args:
        store: the data root, with the model's descriptors.
        variant: name of the method.
        model_fingerprint: of the model.
        pairs: all pairs (schema `tables.PAIRS`).
        sensors: of `patch_a` and `patch_b`.

    Returns:
        Six results that serve; behind them, for a model with two kinds of descriptors, six of the other kind.

    Raises:
        BenchmarkError: too few labelled test pairs.
        DescriptorError: descriptors are missing or another model's.
    """
    tables = [read_patches(store, sensor).set_index("patch_id", drop=False) for sensor in sensors]
    test, train = pairs[pairs["split"] == "test"], pairs[pairs["split"] == "train"]
    labelled = [t.loc[test[c], "labels"].map(len).gt(0).to_numpy() for t, c in _columns(tables)]
    test = test[labelled[0] & labelled[1]]
    if len(test) < K + 2:
        raise BenchmarkError(
            f"the benchmark needs at least {K + 2} labelled test pairs and found {len(test)} among {len(pairs)} pairs"
        )
    a, b = (
        _side(store, variant, model_fingerprint, sensor, table, test[column], train[column])
        for sensor, (table, column) in zip(sensors, _columns(tables), strict=True)
    )
    results = [result for query, gallery in ((a, a), (b, b), (a, b), (b, a)) for result in _direction(query, gallery)]
    return sorted(results, key=lambda result: not result.serves)


def _columns(tables: list[pd.DataFrame]) -> list[tuple[pd.DataFrame, str]]:
    return list(zip(tables, ("patch_a", "patch_b"), strict=True))


def _side(
    store: Store,
    variant: str,
    model: str,
    sensor: Sensor,
    patches: pd.DataFrame,
    test: pd.Series,
    train: pd.Series,
) -> _Side:
    descriptors = read_descriptors(store, variant, model, sensor)
    rows = np.searchsorted(descriptors.patch_ids, test.to_numpy(dtype=object))
    of_test = patches.loc[test]
    return _Side(
        sensor=sensor,
        test=_statistics(store, sensor, of_test),
        train=_statistics(store, sensor, patches.loc[train]),
        vectors={kind: vectors[rows] for kind, vectors in descriptors.vectors.items()},
        labels=multi_hot(of_test["labels"]),
    )


def _statistics(store: Store, sensor: Sensor, rows: pd.DataFrame) -> np.ndarray:
    blocks = [rows.iloc[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    return np.concatenate([baselines.band_statistics_vectors(read_pixels(store, sensor, b), sensor) for b in blocks])


def multi_hot(labels: pd.Series) -> np.ndarray:
    """Booleans (patches, 19) of label lists, by BigEarthNet's classes."""
    return np.array([[name in of_patch for name in BEN19] for of_patch in map(set, labels)])


def _direction(query: _Side, gallery: _Side) -> list[Result]:
    itself = np.eye(len(query.labels), dtype=bool)
    purpose: Purpose
    if query is gallery:
        purpose, protocols = "same", {"self removed": itself}
        baseline = baselines.same_sensor_similarity(query.train, query.test)
    else:
        purpose, protocols = "cross", {"kept": np.zeros_like(itself), "removed": itself}
        baseline = baselines.cross_sensor_similarity(query.train, gallery.train, query.test, gallery.test)
    f1 = pair_f1(query.labels, gallery.labels)

    def at_k(similarity: np.ndarray, excluded: np.ndarray) -> float:
        return float(f1_at_k(f1, rank(similarity, excluded, K)).mean())

    return [
        Result(
            query=query.sensor.name,
            gallery=gallery.sensor.name,
            pair=pair,
            head=head,
            serves=serving(purpose, query.vectors) == head,
            queries=len(f1),
            gallery_size=int((~excluded).sum(axis=1).min()),
            f1_at_5=at_k(vectors @ gallery.vectors[head].T, excluded),
            chance=float(chance_f1(f1, excluded).mean()),
            band_statistics=at_k(baseline, excluded),
        )
        for pair, excluded in protocols.items()
        for head, vectors in query.vectors.items()
    ]
