"""Where descriptors come from, as far as a report can know it by the name."""

from typing import Literal

from jepa_core.baselines.registry import BASELINES
from jepa_core.variants.per_sensor import PerSensor
from jepa_core.variants.registry import METHODS

Origin = Literal["method", "baseline", "user"]
"""A method that this project trains; a baseline; a model that a user brought."""

_DRAWN = ("random-vectors", "random-encoder")
"""Baselines that another seed draws anew, for each sensor by itself; the others are fitted and draw nothing."""


def origin(variant: str) -> Origin:
    """Of the name that a report has for what it judges."""
    if variant in METHODS:
        return "method"
    return "baseline" if variant in BASELINES else "user"


def knows_one_sensor(variant: str) -> bool:
    """Whether descriptors of two sensors are made apart and have nothing in common; of users' models it is not said."""
    return variant in _DRAWN or (variant in METHODS and issubclass(METHODS[variant].build, PerSensor))


def redone(variant: str) -> str:
    """What another seed would do over, `training` or `draw`; empty where a seed decides nothing or it is not known."""
    if variant in METHODS:
        return "training"
    return "draw" if variant in _DRAWN else ""
