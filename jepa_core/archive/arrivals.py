"""Which places of an archive hold something whole already, and which are still being copied.

The system notes when a file was changed last, and no copying tool can set that time back. So a place whose files have
not changed for some seconds has come, unless its own list of files says that some are missing; and that is waited for,
though not for ever: products from which files were taken on purpose must be searchable, too.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepa_core.archive.scene import Source

PATIENCE_S = 3600.0
"""How long after its last change a product waits for files that its manifest lists."""


@dataclass(frozen=True)
class Arrivals:
    """Places, by whether they can be read."""

    ready: tuple[Source, ...]
    """Those that lie still."""

    waiting: dict[str, str]
    """Those that do not, or whose turn has not come, each with what is waited for."""


def arrivals(sources: Sequence[Source], settle_s: float, at_most: int | None = None) -> Arrivals:
    """Tells places that are whole from those that are still being copied.

    Args:
        sources: new or changed places.
        settle_s: how long a place must not have changed, seconds; 0: nothing is being copied.
        at_most: how many are taken at once; the others are not looked at. None: all.
    """
    ready: list[Source] = []
    waiting = {}
    for source in sources:
        if len(ready) == at_most:
            waiting[source.place] = f"{at_most} are taken at once, and its turn comes next"
        elif why := _why(source, settle_s):
            waiting[source.place] = why
        else:
            ready.append(source)
    return Arrivals(tuple(ready), waiting)


def _why(source: Source, settle_s: float) -> str:
    if settle_s <= 0:
        return ""
    changes = [changed for path in source.files() if (changed := _changed(path)) is not None]
    # What bears a time far ahead was written by a clock that was wrong, and would wait for ever.
    age = time.time() - max(changes, default=0.0)
    if -PATIENCE_S < age < settle_s:
        return f"it changed {max(age, 0.0):.0f} s ago"
    if abs(age) < PATIENCE_S and (what := source.lacking()):
        return f"{what} of it has not come yet; without it, it is taken in {(PATIENCE_S - age) / 60:.0f} minutes"
    return ""


def _changed(path: Path) -> float | None:
    try:
        return path.lstat().st_ctime
    except OSError:
        return None
