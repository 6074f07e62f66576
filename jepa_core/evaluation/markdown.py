"""The main tables as Markdown, for pages that show nothing else."""

import re
from collections.abc import Sequence

from jepa_core.evaluation import summary
from jepa_core.evaluation.compared import Comparison
from jepa_core.evaluation.comparison_page import baseline_names, shown_line
from jepa_core.evaluation.definitions import MAIN_METRIC, definition
from jepa_core.evaluation.origin import origin
from jepa_core.evaluation.page import Shown, row
from jepa_core.evaluation.results import ModelFacts, Report
from jepa_core.evaluation.wording import MISSING, baseline_figures, counted, figure_of, search_label

_MARKS = (
    "✗: no better than chance or than a baseline. ≈: better than all of them, but its interval reaches one of them."
)

_MARKS_ALONE = "✗: no better than chance. ≈: better than chance, but its interval reaches it."


def markdown_report(report: Report) -> str:
    """What a report says, and the main figure of every search that serves."""
    baselines = list(report.baselines)
    lines = []
    for result in report.results:
        figure = figure_of(result, MAIN_METRIC)
        if result.serves and figure is not None:
            rivals = baseline_figures(report, result.search, MAIN_METRIC)
            made = row(search_label(result.search), figure, rivals, baselines)
            lines.append(
                [
                    made.title,
                    result.search.protocol,
                    str(result.queries),
                    _cell(made.figure),
                    made.chance,
                    *made.baselines,
                ]
            )
    sentences = [summary.what(report), summary.main_sentence(report), summary.verdict_sentence(report)]
    return "\n\n".join(
        [
            *map(_escaped, sentences),
            _table(
                ["search", "protocol", "queries", definition(MAIN_METRIC).title, "chance", *baselines], lines, left=2
            ),
            f"{definition(MAIN_METRIC).title} in percent. {_MARKS if baselines else _MARKS_ALONE}",
            *map(_escaped, summary.warnings(report)),
        ]
    )


def markdown_comparison(comparison: Comparison) -> str:
    """The main figure by method, the notes, and how the methods were trained."""
    names, baselines = list(comparison.methods), baseline_names(comparison)
    shown = [shown_line(line, baselines) for line in comparison.lines if line.metric == MAIN_METRIC]
    lines = [
        [line.title, line.protocol, *(_cell(cell) for cell in line.cells), line.chance, *line.baselines]
        for line in shown
    ]
    marks = _MARKS if any(line.baselines for line in comparison.lines) else _MARKS_ALONE
    return "\n\n".join(
        [
            _table(["search", "protocol", *names, "chance", *baselines], lines, left=2),
            f"{definition(MAIN_METRIC).title} in percent. Bold: the best of a line's methods. {marks}",
            *map(_escaped, comparison.notes),
            _table(
                ["method", "size", "parameters", "steps", "training rows", "seeds", "seconds of training"],
                [_made(name, model) for name, model in comparison.methods.items()],
                left=2,
            ),
        ]
    )


def _made(name: str, model: ModelFacts) -> list[str]:
    trained = (f"{model.steps:,}", f"{model.train_rows:,}", f"{model.training_seconds:,.0f}")
    steps, rows, seconds = trained if origin(model.variant) == "method" else (MISSING,) * 3
    parameters = "not known" if model.cost.parameters is None else f"{model.cost.parameters:,}"
    return [name, model.size, parameters, steps, rows, counted(len(model.seeds), "seed"), seconds]


def _cell(cell: Shown) -> str:
    value = f"**{cell.value}**" if cell.best else cell.value
    return " ".join(part for part in (value, cell.spread, f"({cell.interval})", cell.sign) if part)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], left: int) -> str:
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    # Cells of figures hold stars that mean bold; only names may hold anything.
    rows = [[_escaped(cell) if i < left else cell for i, cell in enumerate(line)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(map(_escaped, head)), rule, *rows])


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|$])", r"\\\1", text.replace("\n", " "))
