"""Whether a figure says anything: it must beat a random ranking and every descriptor that costs nothing."""

from collections.abc import Mapping
from typing import Literal

from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.results import Figure

Verdict = Literal["beats", "unsettled", "fails"]
"""`fails`: no better than chance or than a baseline. `unsettled`: better than all of them, but the interval reaches
one of them. `beats`: better, interval included."""

SIGNS: Mapping[Verdict, str] = {"beats": "", "unsettled": "≈", "fails": "✗"}
"""For readers who do not see colours."""

WORDS: Mapping[Verdict, str] = {
    "beats": "beats chance and every baseline",
    "unsettled": "better than chance and every baseline, but its interval reaches one of them",
    "fails": "does not beat chance and every baseline",
}
"""The same as a sentence's end."""


def verdict(figure: Figure, rivals: Mapping[str, float]) -> Verdict:
    """Judges a figure.

    The interval is the figure's own, the rivals are taken as exact: that is the whole truth for chance, which is
    computed, and a first look for baselines, which are judged query by query in a comparison.

    Args:
        figure: the figure, with its chance.
        rivals: figures of the baselines, by name.
    """
    better = definition(figure.metric).better
    worst_end = figure.low if definition(figure.metric).higher_is_better else figure.high
    to_beat = [figure.chance, *rivals.values()]
    if not all(better(figure.value, rival) for rival in to_beat):
        return "fails"
    return "beats" if all(better(worst_end, rival) for rival in to_beat) else "unsettled"
