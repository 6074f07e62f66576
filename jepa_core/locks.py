"""Locks between processes of one machine: the system frees them when their holder ends, and a note says who it is."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

_FIRST_TRY_S = 0.2


@contextmanager
def held(path: Path, waiting: Callable[[str], None], patience_s: float = -1.0) -> Iterator[None]:
    """Holds a lock while the block lasts.

    Args:
        path: of the lock; its folder is made.
        waiting: is told, once, who holds the lock, if another process does; then it is waited for.
        patience_s: how long, seconds; negative: however long it takes.

    Raises:
        filelock.Timeout: another process still holds it then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(path), _note(path)
    try:
        lock.acquire(timeout=_FIRST_TRY_S)
    except Timeout:
        waiting(_named(note))
        lock.acquire(timeout=patience_s)
    try:
        # A courtesy to others, for which there need be no room.
        with suppress(OSError):
            note.write_text(this_process())
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path) -> str | None:
    """Who holds a lock, in words; None where nobody does. What a killed holder noted means nothing."""
    if not path.exists():
        return None
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _named(_note(path))
    lock.release()
    return None


def _note(path: Path) -> Path:
    return path.with_suffix(".holder")


def _named(note: Path) -> str:
    try:
        return note.read_text() or "another process"
    except OSError:
        return "another process"


def this_process() -> str:
    """This process in words, as others are told of it."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])[:60]
    return f"process {os.getpid()} on {platform.node()} ({command}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)"
