"""Whether a figure says anything: it must beat a random ranking and every descriptor that costs nothing."""

from collections.abc import Mapping
from typing import Literal

from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.results import Classification, Figure

Verdict = Literal["beats", "unsettled", "fails"]
"""`fails`: no better than chance or than a baseline. `unsettled`: better than all of them, but the interval reaches
one of them. `beats`: better, interval included."""

SIGNS: Mapping[Verdict, str] = {"beats": "", "unsettled": "≈", "fails": "✗"}
"""For readers who do not see colours."""

_WORDS: Mapping[Verdict, str] = {
    "beats": "beats chance and every baseline",
    "unsettled": "better than chance and every baseline, but its interval reaches one of them",
    "fails": "does not beat chance and every baseline",
}

_WORDS_ALONE: Mapping[Verdict, str] = {
    "beats": "beats chance",
    "unsettled": "better than chance, but its interval reaches it",
    "fails": "does not beat chance",
}


def verdict(figure: Figure, rivals: Mapping[str, float]) -> Verdict:
    """Judges a figure.

    "Beats" means that the figure's interval lies wholly on the better side of chance and of each baseline's figure,
    and these are taken as points. That is the whole truth for chance, which is known; that baselines have intervals of
    their own is left out, and no difference to them is tested query by query.

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


def classification_verdict(found: Classification, rivals: Mapping[str, float]) -> Verdict:
    """The same of a classification, which has no interval: better than all or not."""
    return "beats" if all(found.value > rival for rival in (found.chance, *rivals.values())) else "fails"


def words(found: Verdict, rivals: Mapping[str, float]) -> str:
    """A verdict as a sentence's end; baselines are named where there are some."""
    return (_WORDS if rivals else _WORDS_ALONE)[found]
