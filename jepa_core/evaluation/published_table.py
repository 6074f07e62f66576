"""Published figures as tables, a line a method, with this report's own lines above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.published import Published, beside
from jepa_core.evaluation.results import Report, Result, Search
from jepa_core.evaluation.wording import MISSING, direction, figure_of, percent

_OURS = (
    ("test", "kept", "this report, test among test, paired patch kept"),
    ("test", "removed", "this report, test among test, paired patch removed"),
    ("val to test", "apart", "this report, validation asks test"),
)


@dataclass(frozen=True)
class PublishedTable:
    """Figures of one metric."""

    metric: str
    """Its title."""

    directions: tuple[str, ...]
    """Columns."""

    ours: tuple[tuple[str, tuple[str, ...]], ...]
    """Lines of this report: name, and a figure a column."""

    theirs: tuple[tuple[str, tuple[str, ...], str], ...]
    """Lines of papers: method, figures, source."""

    uncertain: tuple[str, ...]
    """What is not known about them."""

    other_set: str
    """Name of the set that the papers' lines are of, where it is another; empty otherwise."""


def published_tables(report: Report) -> list[PublishedTable]:
    """A table a metric that papers report for the report's set; none where there is nothing to compare."""
    known = beside(report)
    metrics = dict.fromkeys(row.metric for row in known.rows)
    return [
        _table(report, metric, [row for row in known.rows if row.metric == metric], known.other_set)
        for metric in metrics
    ]


def _table(report: Report, metric: str, rows: Sequence[Published], other_set: str) -> PublishedTable:
    places = list(dict.fromkeys((row.query, row.gallery) for row in rows))
    lines: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for row in rows:
        spread = "" if row.spread is None else f" ± {percent(row.spread)}"
        cells = lines.setdefault((row.method, row.source), {})
        cells[row.query, row.gallery] = f"{percent(row.value)}{spread}"
    return PublishedTable(
        metric=definition(metric).title,
        directions=tuple(direction(Search("", query, gallery, "")) for query, gallery in places),
        ours=_ours(report, metric, places),
        theirs=tuple(
            (method, tuple(cells.get(place, MISSING) for place in places), source)
            for (method, source), cells in lines.items()
        ),
        uncertain=tuple(dict.fromkeys(row.uncertain for row in rows)),
        other_set=other_set,
    )


def _ours(report: Report, metric: str, places: Sequence[tuple[str, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    serving = [result for result in report.results if result.serves]
    found = []
    for protocol, pair, name in _OURS:
        cells = tuple(_cell(serving, metric, protocol, pair, place) for place in places)
        across = [cell for cell, (query, gallery) in zip(cells, places, strict=True) if query != gallery]
        # Within a sensor kept and removed are one and the same: one line is enough for a set of one sensor.
        if any(cell != MISSING for cell in (across or cells)) and (across or pair != "removed"):
            found.append((name if across else name.partition(", paired")[0], cells))
    return tuple(found)


def _cell(serving: Sequence[Result], metric: str, protocol: str, pair: str, place: tuple[str, str]) -> str:
    for result in serving:
        search = result.search
        fits = search.pair == pair or (search.pair == "self removed" and pair in ("kept", "removed"))
        if search.protocol == protocol and fits and (search.query, search.gallery) == place:
            figure = figure_of(result, metric)
            return MISSING if figure is None else percent(figure.value)
    return MISSING
