"""What a report says, in a few plain sentences."""

from jepa_core.evaluation.definitions import MAIN_METRIC, definition
from jepa_core.evaluation.origin import knows_one_sensor, origin, redone
from jepa_core.evaluation.results import ModelFacts, Report, Result
from jepa_core.evaluation.verdict import Verdict, verdict, words
from jepa_core.evaluation.wording import (
    baseline_figures,
    counted,
    figure_of,
    full_label,
    interval,
    listed,
    percent,
    searches_across,
    sensor_label,
    spread,
)


def title(report: Report) -> str:
    """What was measured on what."""
    size = f", size {report.model.size}" if report.model.size else ""
    return f"{report.model.variant}{size}, on {report.data.name}"


def main_result(report: Report) -> Result | None:
    """The result to name first: across sensors where there are two, among the test split, without the paired patch."""
    serving = [result for result in report.results if result.serves and figure_of(result, MAIN_METRIC) is not None]
    order = ("removed", "self removed", "kept", "apart")
    return min(
        serving,
        key=lambda result: (result.search.query == result.search.gallery, order.index(result.search.pair)),
        default=None,
    )


def what(report: Report) -> str:
    """What was tested, and how it was made."""
    data = report.data
    classes = counted(len(data.classes), "class", "classes")
    several = "several a patch" if data.multi_label else "one a patch"
    sensors = listed([sensor_label(name) for name in data.sensors])
    return f"{report.model.variant} ({made(report.model)}) searches {data.name}: {sensors}, {classes}, {several}."


def made(model: ModelFacts) -> str:
    """How what is judged came about, as far as it is known."""
    if origin(model.variant) == "baseline":
        return "a baseline"
    if origin(model.variant) == "user":
        return "a model of the user's, its training not known here"
    return (
        f"trained on {counted(model.train_rows, 'row')}, {counted(model.steps, 'step')}, "
        f"{counted(len(model.seeds), 'seed')}"
    )


def main_sentence(report: Report) -> str:
    """The main figure with its interval, and what it has to beat."""
    result = main_result(report)
    if result is None:
        return "The report has no main figure."
    figure = result.figure(MAIN_METRIC)
    rivals = baseline_figures(report, result.search, MAIN_METRIC)
    seeds = f" {spread(figure)} over {len(figure.seeds)} seeds" if figure.spread is not None else ""
    sentence = (
        f"{full_label(result.search)}: {definition(MAIN_METRIC).title} is {percent(figure.value)} %{seeds} "
        f"(95 % interval {interval(figure)}); a random ranking gives {percent(figure.chance)} %"
    )
    if rivals:
        best = max(rivals, key=lambda name: rivals[name])
        sentence += f", the best baseline, {best}, {percent(rivals[best])} %"
    return f"{sentence}: {words(verdict(figure, rivals), rivals)}."


def verdicts(report: Report, metric: str = MAIN_METRIC) -> dict[Verdict, list[str]]:
    """Searches that serve, by what their figure of a metric is worth."""
    found: dict[Verdict, list[str]] = {"beats": [], "unsettled": [], "fails": []}
    for result in report.results:
        figure = figure_of(result, metric)
        if result.serves and figure is not None:
            rivals = baseline_figures(report, result.search, metric)
            found[verdict(figure, rivals)].append(full_label(result.search))
    return found


def verdict_sentence(report: Report) -> str:
    """How often the method beats what costs nothing, by the nearest few and by whole rankings, which may disagree."""
    return " ".join(_verdict_of(report, metric) for metric in (MAIN_METRIC, "map"))


def _verdict_of(report: Report, metric: str) -> str:
    found = verdicts(report, metric)
    total = sum(map(len, found.values()))
    rivals = "chance and every baseline" if report.baselines else "chance"
    sentence = f"By {definition(metric).title} it beats {rivals} in {len(found['beats'])} of {total} searches"
    if found["unsettled"]:
        sentence += f"; in {len(found['unsettled'])} it is ahead by less than its interval (≈)"
    if found["fails"]:
        sentence += f"; in {len(found['fails'])} it is not ahead (✗)"
    return sentence + "."


def warnings(report: Report) -> list[str]:
    """What a reader must know before any figure is used."""
    said = []
    serving = [result for result in report.results if result.serves]
    if report.data.archive == "sample":
        queries = max((result.queries for result in serving), default=0)
        said.append(
            f"The sample has {counted(queries, 'test query', 'test queries')}. These figures prove that the "
            "chain runs; they do not show how good the method is."
        )
    if knows_one_sensor(report.model.variant) and searches_across(report):
        said.append(
            f"{report.model.variant} knows one sensor at a time: its descriptors of two sensors have nothing in "
            "common, and across sensors its figures should lie at chance."
        )
    again = redone(report.model.variant)
    if again and len(report.model.seeds) == 1:
        said.append(f"One seed: the intervals are over queries, and another {again} would give other figures.")
    return said + list(report.data.notes)
