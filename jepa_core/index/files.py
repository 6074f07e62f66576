"""Files of an index: how they are written, and what is noted of them."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss

from jepa_core.fingerprint import file_digest


@dataclass(frozen=True)
class FileState:
    """A file as it was written."""

    bytes: int
    """Its size: looked at whenever it is opened."""

    sha256: str
    """Of its content: looked at by `sync.verify`."""

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """State of a file."""
        return cls(path.stat().st_size, file_digest(path))


def write_faiss(path: Path, write: Callable[[Any, faiss.IOWriter], None], what: Any) -> None:
    """Has faiss write through a Python file: its own writer says nothing when the last bytes find no room.

    Args:
        path: of the file.
        write: faiss' function.
        what: is written.

    Raises:
        OSError: it could not be written.
    """
    with path.open("wb") as file:
        write(what, faiss.PyCallbackIOWriter(file.write))


def same_file(old: Path, new: Path) -> None:
    """Has a second name lead to a file, or to a copy where the file system knows no second names."""
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)
