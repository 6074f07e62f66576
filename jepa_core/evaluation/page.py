"""Self-contained pages: templates, and what their tables consist of."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.results import Classification, Figure
from jepa_core.evaluation.verdict import SIGNS, Verdict, classification_verdict, verdict, words
from jepa_core.evaluation.wording import MISSING, interval, percent, spread


@dataclass(frozen=True)
class Shown:
    """A figure as a cell of a table."""

    value: str
    """The figure."""

    spread: str
    """Deviation over the seeds; empty for one."""

    interval: str
    """Both ends; empty where there is none."""

    verdict: Verdict
    """What it is worth."""

    sign: str
    """The same as a sign."""

    words: str
    """The same in words, for those who hear the page."""

    best: bool = False
    """Whether it is the best of its line."""


@dataclass(frozen=True)
class Row:
    """A figure with what it has to beat."""

    title: str
    """Of the metric or of the search."""

    figure: Shown
    """The figure."""

    chance: str
    """A random ranking's."""

    baselines: tuple[str, ...]
    """In the order of the columns; a dash where a baseline was not run."""


def shown(figure: Figure, rivals: Mapping[str, float], best: bool = False) -> Shown:
    """A figure as a cell."""
    found = verdict(figure, rivals)
    text = definition(figure.metric).text(figure.value)
    return Shown(text, spread(figure), interval(figure), found, SIGNS[found], words(found, rivals), best)


def shown_share(one: Classification, rivals: Mapping[str, float], best: bool = False) -> Shown:
    """A classification as a cell."""
    found = classification_verdict(one, rivals)
    return Shown(percent(one.value), spread(one), "", found, SIGNS[found], words(found, rivals), best)


def row(title: str, figure: Figure, rivals: Mapping[str, float], baselines: Sequence[str]) -> Row:
    """A figure as a line of a table."""
    text = definition(figure.metric).text
    others = tuple(text(rivals[name]) if name in rivals else MISSING for name in baselines)
    return Row(title, shown(figure, rivals), text(figure.chance), others)


def embedded(pictures: Mapping[str, bytes]) -> dict[str, str]:
    """PNGs as pages hold them."""
    return {caption: base64.b64encode(png).decode("ascii") for caption, png in pictures.items()}


def render(template: str, **given: Any) -> str:
    """A page from one of the templates; all text is escaped."""
    return _environment().get_template(template).render(**given)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("jepa_core.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
