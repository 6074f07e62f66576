"""Files of STAC items: compressed JSON lines, each item compressed by itself."""

import gzip
import json
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from jepa_core import atomic
from jepa_core.trouble import plain_machine_errors


@dataclass(frozen=True)
class Kept:
    """Where an item lies."""

    sensor: str
    """Name of its sensor; empty for another mission's, which is counted and not kept."""

    stamp: str
    """Changes when the item does."""

    file: str
    """Beside the head; empty where it is not kept."""

    start: int
    """Of its bytes in the file."""

    size: int
    """Number of its bytes."""


class ItemFile:
    """A new file of items, which is there when the block ends without an error; none where no item is put in."""

    def __init__(self, folder: Path) -> None:
        """File in this folder."""
        self._path = folder / f"items-{uuid.uuid4().hex}.jsonl.gz"
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self._end = 0

    def __enter__(self) -> "ItemFile":
        return self

    def add(self, item: Mapping[str, Any], sensor: str, stamp: str) -> Kept:
        """Writes an item.

        Raises:
            MachineError: there is no room.
        """
        data = gzip.compress(json.dumps(item).encode() + b"\n", compresslevel=6, mtime=0)
        with plain_machine_errors(self._path.parent):
            if self._file is None:
                temporary = self._stack.enter_context(atomic.new_file(self._path))
                self._file = self._stack.enter_context(temporary.open("wb"))
            self._file.write(data)
        start, self._end = self._end, self._end + len(data)
        return Kept(sensor, stamp, self._path.name, start, len(data))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with plain_machine_errors(self._path.parent):
            self._stack.__exit__(kind, error, trace)
