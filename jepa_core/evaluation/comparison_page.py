"""A comparison's files: `report.json`, `report.html` and the charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from jepa_core import atomic
from jepa_core.evaluation.charts import recall_curves
from jepa_core.evaluation.compared import ClassificationLine, Comparison, Difference, Line
from jepa_core.evaluation.definitions import (
    MAIN_METRIC,
    MAIN_METRICS,
    RULES,
    chance_words,
    definition,
    described,
)
from jepa_core.evaluation.origin import origin
from jepa_core.evaluation.page import Shown, embedded, render, shown, shown_share
from jepa_core.evaluation.picture_files import write_pictures
from jepa_core.evaluation.significance import SMALLEST_P
from jepa_core.evaluation.wording import MISSING, full_label, percent, search_label
from jepa_core.pictures import png

SCHEMA = "jepa-comparison/1"

SETTLED = 0.05
"""Corrected p below which a difference is called settled."""

_COMPARISON = TypeAdapter(Comparison)


@dataclass(frozen=True)
class LineShown:
    """A line of a table."""

    title: str
    """Of the search."""

    protocol: str
    """Its protocol."""

    cells: tuple[Shown, ...]
    """A method each."""

    chance: str
    """A random ranking's figure."""

    baselines: tuple[str, ...]
    """In the order of the columns; a dash where a baseline was not run."""


@dataclass(frozen=True)
class ClassificationShown:
    """A line of the table of classifications."""

    asked: ClassificationLine
    """What was predicted from what."""

    cells: tuple[Shown, ...]
    """A method each."""

    chance: str
    """What answering without looking gives."""

    baselines: tuple[str, ...]
    """In the order of the columns; a dash where a baseline was not run."""


@dataclass(frozen=True)
class DifferenceShown:
    """How far a line's method is ahead of a column's."""

    value: str
    """In points, with its sign."""

    interval: str
    """Both ends."""

    p: str
    """Corrected."""

    settled: bool
    """Whether it is more than chance would give."""


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Writes a comparison's files atomically; what stood in the folder goes."""
    curves = {f"Recall by rank, {full_label(found.search)}": found.methods for found in comparison.curves}
    pictures = {caption: png(recall_curves(caption, methods)) for caption, methods in curves.items()}
    page = comparison_page(comparison, pictures)
    with atomic.new_folder(folder) as temporary:
        fields = _COMPARISON.dump_python(comparison, mode="json")
        for line, written in zip(comparison.lines, fields["lines"], strict=True):
            written["best"] = sorted(line.best)
            written["verdicts"] = {name: line.verdict(name) for name in line.figures}
        atomic.write_json(temporary / "report.json", {"schema": SCHEMA, **fields})
        (temporary / "report.html").write_text(page, encoding="utf-8")
        write_pictures(temporary, pictures)


def comparison_page(comparison: Comparison, pictures: dict[str, bytes]) -> str:
    """The page.

    Args:
        comparison: what it shows.
        pictures: PNGs by caption.
    """
    metrics = list(dict.fromkeys(line.metric for line in comparison.lines))
    # Those that matter first, the others in the reports' order.
    metrics.sort(key=lambda metric: MAIN_METRICS.index(metric) if metric in MAIN_METRICS else len(MAIN_METRICS))
    baselines = baseline_names(comparison)
    tables = {
        metric: [shown_line(line, baselines) for line in comparison.lines if line.metric == metric]
        for metric in metrics
    }
    return render(
        "comparison.html.j2",
        comparison=comparison,
        names=list(comparison.methods),
        baselines=baselines,
        main=tables.get(MAIN_METRIC, []),
        main_title=definition(MAIN_METRIC).title,
        others=[(definition(metric).title, tables[metric]) for metric in MAIN_METRICS[1:] if metric in tables],
        deeper=[(definition(metric).title, tables[metric]) for metric in metrics if metric not in MAIN_METRICS],
        main_differences=_matrices(comparison, [MAIN_METRIC]),
        other_differences=_matrices(comparison, [metric for metric in metrics if metric != MAIN_METRIC]),
        settled=SETTLED,
        pairs=len(comparison.methods) * (len(comparison.methods) - 1) // 2,
        smallest_p=SMALLEST_P,
        classification=[_classification(line, baselines) for line in comparison.classification],
        trained={name: origin(model.variant) == "method" for name, model in comparison.methods.items()},
        rivals=any(line.baselines for line in comparison.lines),
        rules=RULES,
        chance_words=chance_words(comparison.multi_label),
        pictures=embedded(pictures),
        definitions=described(metrics),
    )


def baseline_names(comparison: Comparison) -> list[str]:
    """Columns of baselines, without those that are compared as methods themselves."""
    names = dict.fromkeys(name for line in comparison.lines for name in line.baselines)
    return [name for name in names if name not in comparison.methods]


def shown_line(line: Line, baselines: Sequence[str]) -> LineShown:
    """A line as a table shows it."""
    text = definition(line.metric).text
    cells = tuple(shown(figure, line.rivals(name), name in line.best) for name, figure in line.figures.items())
    others = tuple(text(line.baselines[name]) if name in line.baselines else MISSING for name in baselines)
    return LineShown(search_label(line.search), line.search.protocol, cells, text(line.chance), others)


def _classification(line: ClassificationLine, baselines: Sequence[str]) -> ClassificationShown:
    cells = tuple(shown_share(one, line.rivals(name), name in line.best) for name, one in line.figures.items())
    others = tuple(percent(line.baselines[name]) if name in line.baselines else MISSING for name in baselines)
    return ClassificationShown(line, cells, percent(line.chance), others)


def _matrices(
    comparison: Comparison, metrics: Sequence[str]
) -> list[tuple[str, dict[str, list[DifferenceShown | None]]]]:
    """For each metric and search: by line's method a cell a column's method, None where nothing was computed."""
    names = list(comparison.methods)
    grouped: dict[tuple[str, str], dict[tuple[str, str], DifferenceShown]] = {}
    for found in sorted(
        (one for one in comparison.differences if one.metric in metrics), key=lambda one: metrics.index(one.metric)
    ):
        cells = grouped.setdefault((definition(found.metric).title, full_label(found.search)), {})
        cells[found.one, found.other] = _difference(found, 1)
        cells[found.other, found.one] = _difference(found, -1)
    return [
        (f"{title}, {search}", {one: [cells.get((one, other)) for other in names] for one in names})
        for (title, search), cells in grouped.items()
    ]


def _difference(found: Difference, sign: int) -> DifferenceShown:
    scale = sign * (100 if definition(found.metric).share else 1)
    low, high = sorted((scale * found.low, scale * found.high))
    return DifferenceShown(
        value=f"{scale * found.difference:+.1f}",
        interval=f"{low:+.1f} to {high:+.1f}",
        p="p < 0.001" if found.p_corrected < 0.001 else f"p {found.p_corrected:.3f}",
        settled=found.p_corrected < SETTLED,
    )
