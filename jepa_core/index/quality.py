"""Training a coarse quantiser, and how much a search through its lists finds of what exact search finds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from jepa_core.index import sensor_index
from jepa_core.index.coarse import Coarse, Trained, number_of_lists, sample_size, train
from jepa_core.index.filters import EVERYTHING
from jepa_core.index.sensor_index import SensorIndex
from jepa_core.vectors import Purpose

TARGET = 0.99
"""Recall@10 that an index keeps; below it the quantiser is trained anew."""

_AIM = 0.995
"""Recall@10 that the number of probes is chosen for, on other queries than it is then measured with."""

_QUERIES = 500
"""Held-out queries to choose with, and as many to measure with."""

_K = sensor_index.MEASURED_K

_TIE = 1e-5
"""Cosines that differ by less are equal: faiss and numpy add up in another order."""


_HELD_OUT = 8
"""Vectors whose id is a multiple of it train no quantiser: queries to measure with are taken from them."""


@dataclass(frozen=True)
class HeldOut:
    """Queries that no quantiser was trained with."""

    vectors: np.ndarray
    """Float32 (queries, dimension)."""

    rows: np.ndarray
    """Row of each in the index, which is then no hit; -1 where it is of another sensor."""

    tenth: np.ndarray
    """Cosine of the tenth of the exact hits, (queries,)."""


def train_quantiser(side: SensorIndex, kind: Purpose, seed: int) -> Trained:
    """Trains a quantiser on vectors drawn from all that the index holds alike, but for those that are held out."""
    lists = number_of_lists(side.live)
    rows = _sample(_rows(side, held_out=False), sample_size(lists), np.random.default_rng([seed, 0]))
    return train(side.vectors(kind, rows), lists, seed)


def held_out(sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, count: int, seed: int) -> HeldOut:
    """Queries as users ask them: of the same sensor; for searches across sensors half of them of the others.

    Args:
        sensor: name of the gallery's sensor.
        sensors: all sensors of the index.
        kind: of descriptors.
        count: queries wanted.
        seed: of the choice.
    """
    side, rng = sensors[sensor], np.random.default_rng([seed, 1])
    others = [other for name, other in sensors.items() if name != sensor and other.live and kind == "cross"]
    share = -(-count // (2 * len(others))) if others else 0
    foreign = [other.vectors(kind, _sample(_rows(other, held_out=True), share, rng)) for other in others]
    own = _sample(_rows(side, held_out=True), count - sum(len(part) for part in foreign), rng)
    vectors = np.concatenate([side.vectors(kind, own), *foreign])
    rows = np.concatenate([own, np.full(len(vectors) - len(own), -1)])
    order = rng.permutation(len(vectors))
    vectors, rows = vectors[order], rows[order]
    scores, found = side.exact(vectors, kind, _K + 1, side.alive(EVERYTHING))
    return HeldOut(vectors, rows, _without(scores, found, rows)[:, -1])


def _rows(side: SensorIndex, held_out: bool) -> np.ndarray:
    """Rows that are in the index, of those that are held out or of the others."""
    parts = []
    for segment, kept, offset in zip(side.segments, side.alive(EVERYTHING), side.offsets[:-1], strict=True):
        chosen = np.empty(len(segment.rows), bool)
        chosen[segment.rows.values("sorted_rows")] = (segment.rows.values("sorted_ids") % _HELD_OUT == 0) == held_out
        parts.append(np.flatnonzero(chosen if kept is None else chosen & kept.mask) + offset)
    return np.concatenate(parts)


def _sample(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, min(count, len(rows)), replace=False))


def recall(side: SensorIndex, kind: Purpose, queries: HeldOut, probes: int) -> float:
    """Share of the ten hits that score as the ten of exact search do, over the queries."""
    near, lists = side.trained[kind].nearest_lists(queries.vectors, probes)
    scores, found = side.in_lists(queries.vectors, kind, _K + 1, side.alive(EVERYTHING), near, lists)
    kept = _without(scores, found, queries.rows)
    return float((kept >= queries.tenth[:, None] - _TIE).mean())


def tuned(sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, untuned: Coarse, seed: int) -> Coarse:
    """The quantiser with about the fewest probes that reach the aim, and the recall of other queries."""
    side = sensors[sensor]
    queries = held_out(sensor, sensors, kind, 2 * _QUERIES, seed)
    half = len(queries.rows) // 2
    choosing, measuring = (
        HeldOut(queries.vectors[part], queries.rows[part], queries.tenth[part])
        for part in (slice(0, half), slice(half, None))
    )
    lists = side.trained[kind].lists
    probes = 1
    while probes < lists and recall(side, kind, choosing, probes) < _AIM:
        probes *= 2
    if probes > 1 and recall(side, kind, choosing, 3 * probes // 4) >= _AIM:
        probes = 3 * probes // 4
    found = recall(side, kind, measuring, probes)
    return replace(untuned, probes=probes, recall=found, queries=len(measuring.rows))


def measured(sensor: str, sensors: Mapping[str, SensorIndex], kind: Purpose, coarse: Coarse, seed: int) -> Coarse:
    """The quantiser with its recall measured again."""
    queries = held_out(sensor, sensors, kind, _QUERIES, seed)
    found = recall(sensors[sensor], kind, queries, coarse.probes)
    return replace(coarse, recall=found, queries=len(queries.rows))


def _without(scores: np.ndarray, found: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The scores of the ten best hits that are not the query itself."""
    kept = np.where(found == own[:, None], -np.inf, scores)
    return -np.sort(-kept, axis=1)[:, :_K]
