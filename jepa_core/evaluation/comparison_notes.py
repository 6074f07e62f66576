"""What must be said before figures of several methods are compared."""

from collections.abc import Sequence

from jepa_core.evaluation.definitions import MAIN_METRIC
from jepa_core.evaluation.origin import knows_one_sensor, origin, redone
from jepa_core.evaluation.results import Report, Search
from jepa_core.evaluation.wording import figure_of, listed, searches_across


def notes(names: Sequence[str], reports: Sequence[Report]) -> list[str]:
    """What a reader must know before figures are compared.

    Args:
        names: of the columns.
        reports: a column each.
    """
    said = []
    for again in ("training", "draw"):
        alone = [
            name
            for name, report in zip(names, reports, strict=True)
            if redone(report.model.variant) == again and len(report.model.seeds) == 1
        ]
        if alone:
            said.append(
                f"One seed of {listed(alone)}: intervals are over queries, and another {again} would give other "
                "figures. A small difference between methods may be chance."
            )
    # Of what was not trained here, seeds say nothing.
    models = [report.model for report in reports if origin(report.model.variant) == "method"]
    seeds = {len(model.seeds) for model in models}
    sizes = {model.size for model in models}
    rows = {model.train_rows for model in models}
    steps = {model.steps for model in models}
    differing = [
        word
        for word, values in (("size", sizes), ("training rows", rows), ("training steps", steps), ("seeds", seeds))
        if len(values) > 1
    ]
    if differing:
        said.append(f"The methods differ in {listed(differing)}, see the table of their trainings.")
    apart = [
        name
        for name, report in zip(names, reports, strict=True)
        if knows_one_sensor(report.model.variant) and searches_across(report)
    ]
    if apart:
        said.append(
            f"By {listed(apart)} each sensor is described apart: the descriptors of two sensors have nothing in "
            "common, and across sensors the figures should lie at chance."
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
