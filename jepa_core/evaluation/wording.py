"""How reports name searches and print figures, in tables of any kind."""

from collections.abc import Mapping

from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.results import Classification, Figure, Report, Result, Search
from jepa_core.sensors import SENSORS

MISSING = "—"
"""Stands where a table has no figure."""

_PAIR = {"kept": "paired patch kept", "removed": "paired patch removed"}


def sensor_label(name: str) -> str:
    """A sensor's name in short."""
    return SENSORS[name].short.upper() if name in SENSORS else name.replace("_", " ")


def direction(search: Search) -> str:
    """From one sensor to another, in short."""
    return f"{sensor_label(search.query)} → {sensor_label(search.gallery)}"


def search_label(search: Search) -> str:
    """Direction, and what becomes of the paired patch where there is one."""
    pair = _PAIR.get(search.pair)
    return f"{direction(search)}, {pair}" if pair else direction(search)


def full_label(search: Search) -> str:
    """The same with the protocol."""
    return f"{search_label(search)} ({search.protocol})"


def file_stem(search: Search) -> str:
    """Name of the files about a search, e.g. `test-sentinel1-sentinel2-kept`."""
    return "-".join((search.protocol, search.query, search.gallery, search.pair)).replace(" ", "-")


def percent(value: float) -> str:
    """A share in percent, one decimal."""
    return f"{100 * value:.1f}"


def interval(figure: Figure) -> str:
    """Both ends of the 95 % interval."""
    shown = definition(figure.metric)
    return f"{shown.text(figure.low)} to {shown.text(figure.high)}"


def spread(figure: Figure | Classification) -> str:
    """`± ` and the deviation over the seeds, in points; empty for one seed."""
    return "" if figure.spread is None else f"± {definition(figure.metric).text(figure.spread)}"


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with its thing, in the plural where there are several."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(names: list[str]) -> str:
    """Names as a sentence lists them."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def figure_of(result: Result, metric: str) -> Figure | None:
    """The figure of a metric, or None where the result has none."""
    return next((figure for figure in result.figures if figure.metric == metric), None)


def baseline_figures(report: Report, search: Search, metric: str) -> Mapping[str, float]:
    """What each baseline reaches in a search, by its name; without those that were not run on it."""
    found = {}
    for name, results in report.baselines.items():
        result = next((result for result in results if result.search == search), None)
        figure = None if result is None else figure_of(result, metric)
        if figure is not None:
            found[name] = figure.value
    return found


def baseline_shares(report: Report, asked: Classification) -> Mapping[str, float]:
    """What each baseline reaches in a classification, by its name; its kind of descriptor may be another."""
    return {
        name: one.value
        for name, found in report.baseline_classification.items()
        for one in found
        if one.question == asked.question
    }


def searches_across(report: Report) -> bool:
    """Whether a search from one sensor to another is among those that serve."""
    return any(result.serves and result.search.query != result.search.gallery for result in report.results)
