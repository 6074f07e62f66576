"""Files and folders that are either whole or not there.

Everything is written beside its place, under a name that starts with `.tmp-`, and renamed. What a killed process
left under such a name is never read, and is swept by the next writer of the same place.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jepa_core.errors import JepaError
from jepa_core.processes import lives

_PREFIX = ".tmp-"


def _beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f"{_PREFIX}{path.name}-*"):
        # Another process may be writing this very place: only what its writer left behind is swept.
        if not _alive(left_over):
            remove(left_over)
    return path.parent / f"{_PREFIX}{path.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _alive(temporary: Path) -> bool:
    try:
        pid = int(temporary.name.rsplit("-", 2)[1])
    except (IndexError, ValueError):
        return False
    return lives(pid)


def left_behind(path: Path) -> bool:
    """Whether a name is one that a writer gives to what it has not finished, and the writer is gone."""
    return path.name.startswith(_PREFIX) and not _alive(path)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder; what is not there is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write; renames it to `path` when the block ends without an error."""
    temporary = _beside(path)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        remove(temporary)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path` for as long as the block lasts."""
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        remove(temporary)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill; it takes the place of `path` when the block ends without an error.

    A folder that stands at `path` is moved aside first, so that a process killed between the two renames
    leaves nothing at `path` rather than half of something.
    """
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            old = _beside(path)
            os.replace(path, old)
            os.replace(temporary, path)
            remove(old)
        else:
            os.replace(temporary, path)
        _sync(path.parent)
    finally:
        remove(temporary)


def write_json(path: Path, value: Any) -> None:
    """Writes readable JSON atomically."""
    with new_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        JepaError: the file is not JSON; the message names it.
    """
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise JepaError(f"{path} is not readable JSON ({error}); delete it and run again") from error
