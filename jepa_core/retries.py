"""When a place that could not be reached is tried again: after a minute, then after twice as long, up to six hours.

A place that fails for reasons that may pass is no reason to launch a run every few seconds. Each such place has its
number of attempts and the time of the next in `sources.parquet`; until then there is nothing to do about it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from jepa_core.fingerprint import fingerprint, short

FIRST = timedelta(minutes=1)
"""From the first failure to the next attempt."""

LONGEST = timedelta(hours=6)
"""The wait is doubled up to this."""

_SPREAD = 0.2
"""Share of the wait by which it may be shorter, by the place's name: what failed together is not asked for at once."""

_EARLY = 0.25
"""A run that tries one place takes along those that are due within this share of their wait: one run, not many."""


def now() -> datetime:
    """The time, as tables keep it."""
    return datetime.now(UTC)


def wait(place: str, attempts: int) -> timedelta:
    """How long a place is left alone after so many attempts in vain; always the same for the same place."""
    whole = min(FIRST * 2.0 ** min(attempts - 1, 20), LONGEST)
    part = int(fingerprint(place)[:8], 16) / 16**8
    return timedelta(seconds=whole.total_seconds() * (1 - _SPREAD * part))


def due_places(rows: Iterable[Mapping[str, Any]], at: datetime) -> set[str]:
    """Places that are to be tried now.

    Args:
        rows: of the table of sources (schema `tables.SOURCES`).
        at: the time.

    Returns:
        Nothing where no place's time has come, else also those whose time is near.
    """
    waiting = [row for row in rows if row["state"] == "quarantined" and row["remote"]]
    if not any(_left(row, at) <= timedelta(0) for row in waiting):
        return set()
    return {row["place"] for row in waiting if _left(row, at) <= _EARLY * wait(row["place"], row["attempts"])}


def _left(row: Mapping[str, Any], at: datetime) -> timedelta:
    """Time until the next attempt; none where it is not known, or further away than any wait (a clock was set)."""
    if pd.isna(row["next_attempt"]):
        return timedelta(0)
    left = timedelta(seconds=(row["next_attempt"] - at).total_seconds())
    return left if left <= LONGEST else timedelta(0)


def attempts_wanted(row: Mapping[str, Any], due: Collection[str]) -> int:
    """Attempts after the first that a place should have had by now.

    It grows when the place is due, not when it is tried: before and after the run that tries it, it is the same. So it
    can be part of what decides whether a run is needed, and each due attempt makes one run and no second.

    Args:
        row: of the table of sources.
        due: places to be tried now.
    """
    attempts = int(row["attempts"])
    if row["state"] != "quarantined" or attempts == 0:
        return attempts
    return attempts - 1 + (row["place"] in due)


def attempts_mark(rows: Iterable[Mapping[str, Any]], at: datetime, listed: Collection[str]) -> str:
    """Changes whenever a place is due; empty while none was tried twice.

    Args:
        rows: of the table of sources.
        at: the time.
        listed: places of the archive; others are forgotten by the next run, and do not count.
    """
    rows = list(rows)
    due = due_places(rows, at)
    wanted = sorted([row["place"], attempts_wanted(row, due)] for row in rows if row["place"] in listed)
    wanted = [entry for entry in wanted if entry[1] > 0]
    return short(fingerprint(wanted)) if wanted else ""


def in_words(attempts: int, next_attempt: datetime) -> str:
    """What to say of a place that waits."""
    times = "once" if attempts == 1 else f"{attempts} times"
    return f"tried {times} in vain, next attempt after {next_attempt:%Y-%m-%d %H:%M:%S} UTC"
