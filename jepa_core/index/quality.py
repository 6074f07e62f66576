"""Training a coarse quantiser, and how much a search through its lists finds of what exact search finds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepa_core.index.coarse import Coarse, Trained, number_of_lists, sample_size, train
from jepa_core.index.filters import Filter
from jepa_core.index.sensor_index import SensorIndex
from jepa_core.vectors import Purpose

TARGET = 0.99
"""Recall@10 that an index keeps; below it the quantiser is trained anew."""

_AIM = 0.995
"""Recall@10 that the number of probes is chosen for, on other queries than it is then measured with."""

_QUERIES = 500
"""Held-out queries to choose with, and as many to measure with."""

_K = 10

_TIE = 1e-5
"""Cosines that differ by less are equal: faiss and numpy add up in another order."""


@dataclass(frozen=True)
class HeldOut:
    """Queries that no quantiser was trained with."""

    vectors: np.ndarray
    """Float32 (queries, dimension)."""

    rows: np.ndarray
    """Row of each in the index, which is then no hit; -1 where it is another sensor's."""

    tenth: np.ndarray
    """Cosine of the tenth of the exact hits, (queries,)."""


def sample_rows(side: SensorIndex, count: int, rng: np.random.Generator) -> np.ndarray:
    """Some rows that are in the index, drawn from all of them alike, sorted."""
    alive = side.alive(Filter())
    kept = [
        np.arange(len(segment.rows)) if mask is None else np.flatnonzero(mask)
        for segment, mask in zip(side.segments, alive, strict=True)
    ]
    rows = np.concatenate([part + offset for part, offset in zip(kept, side.offsets[:-1], strict=True)])
    return np.sort(rng.choice(rows, min(count, len(rows)), replace=False))


def settle(sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, seed: int) -> tuple[Trained, np.ndarray]:
    """Trains a quantiser on a sample of a sensor's vectors; gives it and the rows that it was trained with."""
    side = sensors[sensor]
    lists = number_of_lists(side.live)
    rows = sample_rows(side, sample_size(lists), np.random.default_rng([seed, 0]))
    return train(side.vectors(kind, rows), lists, seed), rows


def held_out(
    sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, count: int, trained_with: np.ndarray, seed: int
) -> HeldOut:
    """Queries as users ask them: of the same sensor, or of the others where the descriptors are for that.

    Args:
        sensor: name of the gallery's sensor.
        sensors: all sensors of the index.
        kind: of descriptors.
        count: queries wanted.
        trained_with: rows of the sensor that the quantiser was trained with.
        seed: of the choice.
    """
    side, rng = sensors[sensor], np.random.default_rng([seed, 1])
    others = [other for name, other in sensors.items() if name != sensor and other.live]
    if kind == "cross" and others:
        share = -(-count // len(others))
        vectors = np.concatenate([other.vectors(kind, sample_rows(other, share, rng)) for other in others])
        rows = np.full(len(vectors), -1, np.int64)
    else:
        rows = np.setdiff1d(sample_rows(side, count + len(trained_with), rng), trained_with)
        rows = np.sort(rng.choice(rows, min(count, len(rows)), replace=False))
        vectors = side.vectors(kind, rows)
    order = rng.permutation(len(vectors))
    vectors, rows = vectors[order], rows[order]
    scores, found = side.exact(vectors, kind, _K + 1, side.alive(Filter()))
    return HeldOut(vectors, rows, _without(scores, found, rows)[:, -1])


def recall(side: SensorIndex, kind: Purpose, queries: HeldOut, probes: int) -> float:
    """Share of the ten hits that score as the ten of exact search do, over the queries."""
    near, lists = side.trained[kind].nearest_lists(queries.vectors, probes)
    scores, found = side.through_lists(queries.vectors, kind, _K + 1, side.alive(Filter()), near, lists)
    kept = _without(scores, found, queries.rows)
    return float((kept >= queries.tenth[:, None] - _TIE).mean())


def tuned(
    sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, name: str, trained_with: np.ndarray, seed: int
) -> Coarse:
    """The fewest probes, doubled from 1, that reach the aim; recall is then measured with other queries."""
    side = sensors[sensor]
    queries = held_out(sensor, sensors, kind, 2 * _QUERIES, trained_with, seed)
    half = len(queries.rows) // 2
    choosing, measuring = (
        HeldOut(queries.vectors[part], queries.rows[part], queries.tenth[part])
        for part in (slice(0, half), slice(half, None))
    )
    lists = side.trained[kind].lists
    probes = 1
    while probes < lists and recall(side, kind, choosing, probes) < _AIM:
        probes *= 2
    return Coarse(
        name=name,
        probes=probes,
        recall=recall(side, kind, measuring, probes),
        queries=len(measuring.rows),
        lists=lists,
        trained_on=side.live,
    )


def measured(sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, coarse: Coarse, seed: int) -> Coarse:
    """The quantiser with its recall measured again."""
    queries = held_out(sensor, sensors, kind, _QUERIES, np.empty(0, np.int64), seed)
    found = recall(sensors[sensor], kind, queries, coarse.probes)
    return Coarse(**{**vars(coarse), "recall": found, "queries": len(queries.rows)})


def _without(scores: np.ndarray, found: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The scores of the ten best hits that are not the query itself."""
    kept = np.where(found == own[:, None], -np.inf, scores)
    return -np.sort(-kept, axis=1)[:, :_K]
