"""What killed processes left half written."""

import os
from collections.abc import Iterator
from pathlib import Path

from jepa_core import atomic
from jepa_core.store import Store

_NOT_OURS = ("mlflow", "sample-archive", "locks", "sets")
"""Rooms in which nothing is written that way, or which are data roots themselves."""


def left_overs(store: Store) -> list[Path]:
    """Temporary files and folders whose writers are gone, sorted."""
    return sorted(_under(store.root, 0, store.root / "patches")) if store.root.is_dir() else []


def _under(folder: Path, depth: int, patches: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except PermissionError:
        return
    for entry in entries:
        path = Path(entry.path)
        if atomic.left_behind(path):
            yield path
        elif not entry.is_dir(follow_symlinks=False) or entry.name.startswith("."):
            continue
        # A scene's folder comes about as a whole, and there are many.
        elif path.parent.parent != patches and not (depth == 0 and entry.name in _NOT_OURS):
            yield from _under(path, depth + 1, patches)
