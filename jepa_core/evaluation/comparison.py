"""Reports of several methods on the same data, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose

from jepa_core.evaluation.charts import Curve, curve
from jepa_core.evaluation.definitions import MAIN_METRIC, definition
from jepa_core.evaluation.report_json import ReportError
from jepa_core.evaluation.results import Figure, ModelFacts, Report, Result, Search
from jepa_core.evaluation.verdict import Verdict, verdict
from jepa_core.evaluation.wording import (
    baseline_figures,
    figure_of,
    full_label,
    know_one_sensor,
    listed,
)
from jepa_core.fingerprint import short


@dataclass(frozen=True)
class Difference:
    """How far two methods lie apart in one search, from paired values of the same queries."""

    metric: str
    """Name of the metric."""

    search: Search
    """Which search."""

    one: str
    """Name of the one method."""

    other: str
    """Name of the other."""

    difference: float
    """Mean over queries of the one's figure less the other's."""

    low: float
    """Lower end of its 95 % interval."""

    high: float
    """Upper end."""

    p: float
    """Probability of a difference as large where there is none."""

    p_corrected: float
    """The same, corrected for the number of comparisons."""


@dataclass(frozen=True)
class Line:
    """One metric of one search, by every method with the descriptors that serve it."""

    search: Search
    """Which search."""

    metric: str
    """Which metric."""

    queries: int
    """Number of queries."""

    gallery_size: int
    """Patches that a query chooses from."""

    figures: Mapping[str, Figure]
    """By method."""

    chance: float
    """Expected value of a random ranking."""

    baselines: Mapping[str, float]
    """By name of the baseline; where reports have different figures for one, the best of them."""

    @property
    def best(self) -> frozenset[str]:
        """The method with the best figure, or the methods."""
        better = definition(self.metric).better
        values = [figure.value for figure in self.figures.values()]
        return frozenset(
            name for name, figure in self.figures.items() if not any(better(value, figure.value) for value in values)
        )

    def verdict(self, method: str) -> Verdict:
        """What a method's figure is worth beside chance and the baselines; a baseline is not held against itself."""
        rivals = {name: value for name, value in self.baselines.items() if name != method}
        return verdict(self.figures[method], rivals)


@dataclass(frozen=True)
class Curves:
    """Recall by rank in one search."""

    search: Search
    """Which search."""

    methods: tuple[Curve, ...]
    """One a method."""


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    data: str
    """Name of the set."""

    version: str
    """Data version that all reports share."""

    methods: Mapping[str, ModelFacts]
    """By name, in the order of the columns."""

    lines: tuple[Line, ...]
    """Search by search, in the order of the reports; within a search metric by metric."""

    curves: tuple[Curves, ...]
    """In the order of the reports."""

    differences: tuple[Difference, ...]
    """Between pairs of methods; empty where they were not computed."""

    notes: tuple[str, ...]
    """What a reader must know before figures are compared."""


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
        methods=dict(zip(names, (report.model for report in reports), strict=True)),
        lines=lines,
        curves=_curves(names, reports),
        differences=tuple(differences),
        notes=tuple(_notes(names, reports)),
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
    chances = [figure.chance for figure in figures.values()]
    # Chance is of the labels alone: equal but for the order of a sum.
    if not all(isclose(chance, chances[0], rel_tol=1e-6, abs_tol=1e-9) for chance in chances):
        raise ReportError(
            f"chance of {definition(metric).title} in {full_label(search)} differs between the reports, though their "
            "data are the same: they were made by different versions of this code; make them again"
        )
    baselines: dict[str, float] = {}
    better = definition(metric).better
    for report in reports:
        for name, value in baseline_figures(report, search, metric).items():
            if name not in baselines or better(value, baselines[name]):
                baselines[name] = value
    return Line(search, metric, first.queries, first.gallery_size, figures, chances[0], baselines)


def _curves(names: Sequence[str], reports: Sequence[Report]) -> tuple[Curves, ...]:
    found: dict[Search, list[Curve]] = {}
    for name, report in zip(names, reports, strict=True):
        for details in report.details:
            found.setdefault(details.search, []).append(curve(name, details))
    return tuple(Curves(search, tuple(curves)) for search, curves in found.items())


def _notes(names: Sequence[str], reports: Sequence[Report]) -> list[str]:
    said = []
    models = [report.model for report in reports]
    alone = [name for name, model in zip(names, models, strict=True) if len(model.seeds) == 1]
    if alone:
        said.append(
            f"One seed of {listed(alone)}: intervals are over queries, and another training would give other figures. "
            "A small difference between methods may be chance."
        )
    seeds = {len(model.seeds) for model in models if model.seeds}
    sizes = {model.size for model in models if model.size}
    rows = {model.train_rows for model in models if model.train_rows}
    steps = {model.steps for model in models if model.steps}
    differing = [
        word
        for word, values in (("size", sizes), ("training rows", rows), ("training steps", steps), ("seeds", seeds))
        if len(values) > 1
    ]
    if differing:
        said.append(f"The methods differ in {listed(differing)}, see the table of their trainings.")
    apart = [name for name, report in zip(names, reports, strict=True) if know_one_sensor(report.results)]
    if apart:
        said.append(
            f"The networks of {listed(apart)} know one sensor each and are trained apart: their descriptors of two "
            "sensors have nothing in common, and across sensors their figures should lie at chance."
        )
    uneven = _uneven_baselines(reports)
    if uneven:
        said.append(f"The reports have different figures for {listed(uneven)}; the best of them is shown.")
    return said + [note for note in dict.fromkeys(note for report in reports for note in report.data.notes)]


def _uneven_baselines(reports: Sequence[Report]) -> list[str]:
    found: dict[tuple[str, Search], set[float]] = {}
    for report in reports:
        for name, results in report.baselines.items():
            for result in results:
                figure = figure_of(result, MAIN_METRIC)
                if figure is not None:
                    found.setdefault((name, result.search), set()).add(round(figure.value, 6))
    return list(dict.fromkeys(name for (name, _), values in found.items() if len(values) > 1))
