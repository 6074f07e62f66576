"""Progress bars with an estimate of the time left."""

import sys
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None, unit: str = "it", done: int = 0) -> Iterable[T]:
    """Iterates over `items` while standard error shows count, rate and time left; nothing for no items.

    What was `done` before counts towards the total.

    Where standard error is a file (a run's log), the bar is renewed each ten seconds, not five times a second.
    """
    if isinstance(items, Collection) and not items:
        return items
    return tqdm(items, desc=what, total=total, unit=unit, initial=done, mininterval=_interval(), dynamic_ncols=True)


def advance(amounts: Iterable[int], what: str, total: int, unit: str) -> None:
    """Goes through amounts of `total`, while standard error shows how far they are; nothing for a total of 0."""
    with tqdm(desc=what, total=total, unit=unit, mininterval=_interval(), dynamic_ncols=True, disable=not total) as bar:
        for amount in amounts:
            bar.update(amount)


def say(line: str) -> None:
    """Writes a line to standard output, above the bars that are shown."""
    tqdm.write(line, file=sys.stdout)


class SceneProgress:
    """A bar over scenes that also moves while a large scene is cut."""

    def __init__(self, what: str, scenes: int) -> None:
        """Shows nothing for no scenes."""
        self._done = 0.0
        self._bar: tqdm[Any] = tqdm(
            desc=what,
            total=scenes,
            unit="scene",
            mininterval=_interval(),
            dynamic_ncols=True,
            disable=scenes == 0,
            bar_format="{l_bar}{bar}| {n:.2f}/{total} scenes [{elapsed}<{remaining}]",
        )

    def rows_done(self, done: int, of: int) -> None:
        """Rows of cells of the scene under way."""
        # Writing what was cut takes about a tenth of the time.
        self._move(int(self._done) + 0.9 * done / of)

    def scene_done(self) -> None:
        """The scene under way is in place."""
        self._move(int(self._done) + 1.0)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()

    def _move(self, to: float) -> None:
        self._bar.update(to - self._done)
        self._done = to


def _interval() -> float:
    return 0.2 if sys.stderr.isatty() else 10.0
