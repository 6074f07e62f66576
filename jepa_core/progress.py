"""Progress bars with an estimate of the time left."""

import sys
from collections.abc import Collection, Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None, unit: str = "it") -> Iterable[T]:
    """Iterates over `items` while standard error shows count, rate and time left; nothing for no items.

    Where standard error is a file (a run's log), the bar is renewed each ten seconds, not five times a second.
    """
    if isinstance(items, Collection) and not items:
        return items
    interval = 0.2 if sys.stderr.isatty() else 10.0
    return tqdm(items, desc=what, total=total, unit=unit, mininterval=interval, dynamic_ncols=True)
