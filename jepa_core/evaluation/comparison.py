"""Reports of several methods on the same data, side by side."""

from collections.abc import Mapping, Sequence
from math import isclose

from jepa_core.evaluation.charts import Curve, curve
from jepa_core.evaluation.compared import ClassificationLine, Comparison, Curves, Difference, Line
from jepa_core.evaluation.comparison_notes import notes
from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.report_json import ReportError
from jepa_core.evaluation.results import Classification, Report, Result, Search
from jepa_core.evaluation.wording import baseline_figures, baseline_shares, figure_of, full_label, listed
from jepa_core.fingerprint import short


def compare(reports: Sequence[Report], differences: Sequence[Difference] = ()) -> Comparison:
    """Puts reports side by side.

    Args:
        reports: one a method, in the order of the columns.
        differences: between their methods, by the names that the columns have (`column_names`).

    Raises:
        ReportError: they are not of the same data, or not of the same searches, or there is none.
    """
    if not reports:
        raise ReportError("there is no report to compare")
    names = column_names(reports)
    _same_data(names, reports)
    serving = [[result for result in report.results if result.serves] for report in reports]
    for name, results in zip(names, serving, strict=True):
        if [_what(result) for result in results] != [_what(result) for result in serving[0]]:
            raise ReportError(
                f"the benchmarks of {names[0]} and {name} are of different searches, though of the same data: delete "
                "both reports and make them again"
            )
    lines = tuple(
        line
        for results in zip(*serving, strict=True)
        for figure in results[0].figures
        if (line := _line(names, reports, results, figure.metric)) is not None
    )
    return Comparison(
        data=reports[0].data.name,
        version=reports[0].data.version,
        multi_label=reports[0].data.multi_label,
        methods=dict(zip(names, (report.model for report in reports), strict=True)),
        lines=lines,
        classification=_classification(names, reports),
        curves=_curves(names, reports),
        differences=tuple(differences),
        notes=tuple(notes(names, reports)),
    )


def column_names(reports: Sequence[Report]) -> list[str]:
    """A name a report, no two alike: the method's, with its size or model where several are of one method."""
    plain = [report.model.variant for report in reports]
    sized = [f"{report.model.variant} {report.model.size}".strip() for report in reports]
    models = [f"{name} {short(report.model.models[0])}" for name, report in zip(sized, reports, strict=True)]
    for names in (plain, sized, models):
        if len(set(names)) == len(names):
            return names
    raise ReportError(f"a report is there twice: {listed(models)}")


def _same_data(names: Sequence[str], reports: Sequence[Report]) -> None:
    if len({(report.data.name, report.data.version) for report in reports}) > 1:
        of = ", ".join(
            f"{name}'s of {report.data.name} {short(report.data.version)}"
            for name, report in zip(names, reports, strict=True)
        )
        raise ReportError(f"the benchmarks are of different data: {of}. Make those again that are behind")


def _what(result: Result) -> tuple[Search, int, int]:
    return result.search, result.queries, result.gallery_size


def _line(names: Sequence[str], reports: Sequence[Report], results: Sequence[Result], metric: str) -> Line | None:
    figures = {
        name: figure
        for name, result in zip(names, results, strict=True)
        if (figure := figure_of(result, metric)) is not None
    }
    if len(figures) < len(names):
        return None
    first, search = results[0], results[0].search
    chance = _same_chance(f"{definition(metric).title} in {full_label(search)}", [f.chance for f in figures.values()])
    baselines = _best_of(metric, [baseline_figures(report, search, metric) for report in reports])
    return Line(search, metric, first.queries, first.gallery_size, figures, chance, baselines)


def _classification(names: Sequence[str], reports: Sequence[Report]) -> tuple[ClassificationLine, ...]:
    by_question = [{one.question: one for one in report.classification} for report in reports]
    return tuple(
        _classification_line(names, reports, [found[question] for found in by_question])
        for question in by_question[0]
        if all(question in found for found in by_question)
    )


def _classification_line(
    names: Sequence[str], reports: Sequence[Report], found: Sequence[Classification]
) -> ClassificationLine:
    first = found[0]
    return ClassificationLine(
        sensor=first.sensor,
        classifier=first.classifier,
        share=first.share,
        metric=first.metric,
        figures=dict(zip(names, found, strict=True)),
        chance=_same_chance(f"{first.metric} of {first.classifier} on {first.sensor}", [one.chance for one in found]),
        baselines=_best_of(first.metric, [baseline_shares(report, first) for report in reports]),
    )


def _same_chance(what: str, chances: Sequence[float]) -> float:
    # Chance is of the labels alone: equal but for the order of a sum.
    if not all(isclose(chance, chances[0], rel_tol=1e-6, abs_tol=1e-9) for chance in chances):
        raise ReportError(
            f"chance of {what} differs between the reports, though their data are the same: they were made by "
            "different versions of this code; make them again"
        )
    return chances[0]


def _best_of(metric: str, by_report: Sequence[Mapping[str, float]]) -> dict[str, float]:
    better, best = definition(metric).better, dict[str, float]()
    for baselines in by_report:
        for name, value in baselines.items():
            if name not in best or better(value, best[name]):
                best[name] = value
    return best


def _curves(names: Sequence[str], reports: Sequence[Report]) -> tuple[Curves, ...]:
    found: dict[Search, list[Curve]] = {}
    for name, report in zip(names, reports, strict=True):
        for details in report.details:
            found.setdefault(details.search, []).append(curve(name, details))
    return tuple(Curves(search, tuple(curves)) for search, curves in found.items())
