"""`report.html`: everything that a report says, on one page that needs no network."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jepa_core.evaluation import summary
from jepa_core.evaluation.definitions import (
    MAIN_METRIC,
    MAIN_METRICS,
    PAIRS,
    PROTOCOLS,
    RULES,
    chance_words,
    definition,
    described,
)
from jepa_core.evaluation.origin import origin, redone
from jepa_core.evaluation.page import Row, Shown, embedded, render, row, shown_share
from jepa_core.evaluation.published_table import published_tables
from jepa_core.evaluation.results import Classification, Report, Result
from jepa_core.evaluation.wording import MISSING, baseline_figures, baseline_shares, figure_of, percent, search_label


@dataclass(frozen=True)
class Block:
    """One search with one kind of descriptor."""

    title: str
    """Direction, and what becomes of the pair."""

    protocol: str
    """Name of the protocol."""

    head: str
    """The kind of descriptor."""

    queries: int
    """Number of queries."""

    gallery_size: int
    """Patches that a query chooses from."""

    unanswerable: int
    """Queries without a relevant patch to find."""

    main: tuple[Row, ...]
    """Figures that are shown at once."""

    every: tuple[Row, ...]
    """All figures."""


@dataclass(frozen=True)
class ClassificationRow:
    """A classification with what it has to beat."""

    asked: Classification
    """What was predicted from what."""

    figure: Shown
    """The figure."""

    chance: str
    """The floor."""

    baselines: tuple[str, ...]
    """In the order of the columns; a dash where a baseline was not run."""


def report_page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The page.

    Args:
        report: what it shows.
        pictures: PNGs by caption.
    """
    baselines = list(report.baselines)
    serving = [result for result in report.results if result.serves]
    metrics = list(dict.fromkeys(figure.metric for result in report.results for figure in result.figures))
    return render(
        "report.html.j2",
        report=report,
        summary=summary,
        baselines=baselines,
        overview=_overview(report, serving, baselines),
        main_title=definition(MAIN_METRIC).title,
        protocols=_by_protocol([_block(report, result, baselines) for result in serving]),
        others=[_block(report, result, baselines) for result in report.results if not result.serves],
        classification=[_classification(report, one, baselines) for one in report.classification],
        published=published_tables(report),
        pictures=embedded(pictures),
        definitions=described(metrics),
        protocol_words=PROTOCOLS,
        pair_words=PAIRS,
        rules=RULES,
        chance_words=chance_words(report.data.multi_label),
        origin=origin(report.model.variant),
        again=redone(report.model.variant),
        config=_readable(report.model.config),
        recipe=_readable(report.model.recipe),
    )


def _overview(report: Report, serving: Sequence[Result], baselines: Sequence[str]) -> list[tuple[str, Row]]:
    found = []
    for result in serving:
        figure = figure_of(result, MAIN_METRIC)
        if figure is not None:
            rivals = baseline_figures(report, result.search, MAIN_METRIC)
            found.append((result.search.protocol, row(search_label(result.search), figure, rivals, baselines)))
    return found


def _block(report: Report, result: Result, baselines: Sequence[str]) -> Block:
    rows = {
        figure.metric: row(
            definition(figure.metric).title,
            figure,
            baseline_figures(report, result.search, figure.metric),
            baselines,
        )
        for figure in result.figures
    }
    return Block(
        title=search_label(result.search),
        protocol=result.search.protocol,
        head=result.head,
        queries=result.queries,
        gallery_size=result.gallery_size,
        unanswerable=result.unanswerable,
        main=tuple(rows[metric] for metric in MAIN_METRICS if metric in rows),
        every=tuple(rows.values()),
    )


def _by_protocol(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.protocol, []).append(block)
    return found


def _classification(report: Report, one: Classification, baselines: Sequence[str]) -> ClassificationRow:
    rivals = baseline_shares(report, one)
    others = tuple(percent(rivals[name]) if name in rivals else MISSING for name in baselines)
    return ClassificationRow(one, shown_share(one, rivals), percent(one.chance), others)


def _readable(record: Mapping[str, object]) -> str:
    # What JSON has no word for, such as a path, is shown as its own text.
    return json.dumps(dict(record), indent=2, default=str, ensure_ascii=False) if record else ""
