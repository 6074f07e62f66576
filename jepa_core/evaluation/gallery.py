"""The best and the worst queries as pictures, for people to judge what figures do not say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.retrieval import NONE
from jepa_core.pictures import NOT_RELEVANT, PAIRED, RELEVANT, Frame, Tile, contact_sheet, preview
from jepa_core.sensors import Sensor

HITS = 5
"""Hits that are shown of a query, as many as the main figure counts."""


@dataclass(frozen=True)
class Found:
    """What the queries of one search found."""

    query: Sensor
    """The queries' sensor."""

    gallery: Sensor
    """The gallery's sensor."""

    rows: np.ndarray
    """int64 (queries,): the set's row of each query."""

    hits: np.ndarray
    """int64 (queries, depth): the set's rows of its nearest, nearest first; `NONE` where there are no more."""

    cosines: np.ndarray
    """float32 of the same shape."""

    figures: np.ndarray
    """(queries,): F1@5 (A) of each query, from 0 to 1."""


def best_and_worst(data: LabelledSet, found: Found, count: int = 5) -> dict[str, bytes]:
    """Contact sheets of the queries with the highest and with the lowest F1@5 (A).

    Args:
        data: the set.
        found: one search.
        count: queries a sheet.

    Returns:
        PNGs by caption, for `write_report`.
    """
    names = f"{found.query.name} → {found.gallery.name}".replace("_", " ")
    return {
        f"{kind} queries, {names}": query_sheet(data, found, pick(found.figures, data.labels[found.rows], count, best))
        for kind, best in (("Best", True), ("Worst", False))
    }


def pick(figures: np.ndarray, labels: np.ndarray, count: int, best: bool) -> np.ndarray:
    """The queries with the best or worst figures; among equals those whose classes were shown least, then the first.

    Args:
        figures: (queries,).
        labels: booleans (queries, classes).
        count: queries wanted; all where there are fewer.
        best: whether the highest are wanted, else the lowest.

    Returns:
        Positions of queries, in the order of choice.
    """
    # Sums of float32 and float64 differ in the last digits: queries that found the same are equals.
    cost = np.round(-figures if best else figures, 6)
    shown = np.zeros(labels.shape[1])
    left = np.ones(len(figures), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(figures))):
        equals = np.flatnonzero(left & (cost == cost[left].min()))
        seen = (labels[equals] @ shown) / np.maximum(labels[equals].sum(axis=1), 1)
        chosen.append(int(equals[np.argmin(seen)]))
        shown += labels[chosen[-1]]
        left[chosen[-1]] = False
    return np.array(chosen, dtype=np.int64)


def query_sheet(data: LabelledSet, found: Found, queries: Sequence[int] | np.ndarray) -> bytes:
    """Queries with their five nearest as PNG, a query a row; frames say which hits are relevant.

    Args:
        data: the set.
        found: one search.
        queries: positions among its queries.
    """
    sheet = []
    for position in queries:
        row, hits = int(found.rows[position]), found.hits[position][:HITS]
        hits = hits[hits != NONE]  # a gallery may hold fewer
        own = data.read(found.query, np.array([row]))[0]
        caption = f"QUERY {_short(data.ids[row])}\nF1@5 {100 * found.figures[position]:.0f} %\n{_labels(data, row)}"
        tiles = [Tile(preview(own, found.query), caption)]
        for hit, cosine, pixels in zip(hits, found.cosines[position], data.read(found.gallery, hits), strict=False):
            sign, frame = _judged(data, found, row, int(hit))
            caption = f"{sign} {_short(data.ids[hit])}\ncosine {cosine:.2f}\n{_labels(data, int(hit))}"
            tiles.append(Tile(preview(pixels, found.gallery), caption, frame))
        sheet.append(tiles)
    title = f"{found.query.name} queries, {found.gallery.name} hits; ✓ shares a class, ✗ shares none"
    if found.query.name != found.gallery.name:
        title += ", PAIR is the query's own place"
    return contact_sheet(title.replace("_", " "), sheet)


def _judged(data: LabelledSet, found: Found, row: int, hit: int) -> tuple[str, Frame]:
    if row == hit and found.query.name != found.gallery.name:
        return "PAIR", PAIRED
    return ("✓", RELEVANT) if (data.labels[row] & data.labels[hit]).any() else ("✗", NOT_RELEVANT)


def _labels(data: LabelledSet, row: int) -> str:
    names = [name if len(name) <= 34 else f"{name[:33].rstrip(' ,')}…" for name in data.label_names(row)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _short(name: str) -> str:
    # The end of an id is what differs between patches of one scene.
    return name if len(name) <= 20 else f"…{name[-19:]}"
