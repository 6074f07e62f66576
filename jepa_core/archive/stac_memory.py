"""What a STAC API said, on disk: a head, a table of its items, and the items themselves.

The items lie in files of compressed JSON lines, each item compressed by itself, so that one is read without the
others (and `zcat` reads all). No file is ever changed: a call that learns something writes new ones, and the head last,
which names them. So processes that ask at the same time do not disturb each other; the last head counts.
"""

import gzip
import json
import time
import uuid
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jepa_core import atomic, tables
from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.stac_item_file import Kept
from jepa_core.errors import JepaError
from jepa_core.trouble import plain_machine_errors

_GRACE_S = 3600.0
"""Files that no head names stay so long: another process may be about to name or read them."""

_MOST_FILES = 20
"""Files of items, before the next whole listing writes all of them anew."""


@dataclass(frozen=True)
class Head:
    """What is remembered of a listing as a whole."""

    api: str
    """Address of the API."""

    search: Mapping[str, Any]
    """What it was asked for."""

    asked: datetime
    """When it was last asked, with or without an answer."""

    listed: datetime | None
    """When it was last listed whole; None: never yet."""

    newest: datetime | None
    """The latest `updated` of its items; None where one has none."""

    counted: bool
    """Whether the number of items that it states was theirs when it was listed whole."""

    items: int
    """How many there are."""

    table: str
    """File of the table of items, beside the head."""

    trouble: str
    """Why it could not be asked the last time; empty: it could."""


@dataclass(frozen=True)
class Known:
    """All that is remembered of an API."""

    head: Head
    """Of the listing."""

    items: dict[str, Kept]
    """Where each item lies, by its name."""


class Memory:
    """Remembers what one API said to one search."""

    def __init__(self, folder: Path) -> None:
        """Memory in this folder, which need not exist yet."""
        self.folder = folder

    def read(self) -> Known | None:
        """What is remembered; None where that is nothing, or not whole."""
        try:
            said = json.loads((self.folder / "head.json").read_bytes())
            for name in ("asked", "listed", "newest"):
                said[name] = datetime.fromisoformat(said[name]) if said[name] else None
            head = Head(**said)
            table = tables.read_table(self.folder / head.table, tables.REMEMBERED)
            rows = zip(*(table[name].tolist() for name in tables.REMEMBERED.columns), strict=True)
            items = {name: Kept(*fields) for name, *fields in rows}
            ends: dict[str, int] = {}
            for kept in items.values():
                ends[kept.file] = max(ends.get(kept.file, 0), kept.start + kept.size)
            ends.pop("", None)
            whole = all((self.folder / file).stat().st_size >= end for file, end in ends.items())
        except (OSError, ValueError, TypeError, KeyError, JepaError):
            # It is only a memory: the API can be asked again.
            return None
        return Known(head, items) if whole and head.asked is not None else None

    def write(self, head: Head, items: Mapping[str, Kept], changed: bool) -> None:
        """Remembers.

        Args:
            head: of the listing; the name of its table is put in here where that is written.
            items: where each item lies.
            changed: whether they differ from those of the table that the head names.

        Raises:
            MachineError: there is no room.
        """
        with plain_machine_errors(self.folder):
            said = asdict(head)
            if changed or not head.table:
                said["table"] = f"items-{uuid.uuid4().hex}.parquet"
                rows = [{"name": name, **vars(kept)} for name, kept in items.items()]
                table = tables.table_of(rows, tables.REMEMBERED)
                tables.write_table(table, tables.REMEMBERED, self.folder / said["table"])
            for name in ("asked", "listed", "newest"):
                said[name] = said[name].isoformat() if said[name] else None
            atomic.write_json(self.folder / "head.json", said)
            if said["table"] != head.table:
                self._sweep({said["table"], "head.json", *(kept.file for kept in items.values())})

    def crowded(self, items: Mapping[str, Kept]) -> bool:
        """Whether the items lie in too many files, or in files that hold mostly what is not wanted any more."""
        files = {kept.file for kept in items.values() if kept.file}
        held = sum((self.folder / file).stat().st_size for file in files)
        return len(files) > _MOST_FILES or held > 2 * sum(kept.size for kept in items.values())

    def recall(self, name: str, kept: Kept) -> dict[str, Any]:
        """An item.

        Args:
            name: of the item.
            kept: where it lay when it was listed.

        Raises:
            ArchiveError: it is not there any more, for it has changed since, or cannot be read.
        """
        try:
            if not (self.folder / kept.file).exists():
                # Another process wrote it anew, elsewhere.
                known = self.read()
                kept_now = known.items.get(name) if known else None
                if kept_now is None or kept_now.stamp != kept.stamp:
                    raise ArchiveError(f"{name} was listed anew since this run began; the next one reads it")
                kept = kept_now
            with (self.folder / kept.file).open("rb") as file:
                file.seek(kept.start)
                return dict(json.loads(gzip.decompress(file.read(kept.size))))
        except (OSError, EOFError, ValueError, TypeError, zlib.error) as error:
            raise ArchiveError(
                f"{name} cannot be read from {self.folder / kept.file} ({error}); delete {self.folder} and run again"
            ) from error

    def _sweep(self, named: set[str]) -> None:
        for path in self.folder.iterdir():
            # What another process writes at this moment may be renamed before it is looked at.
            with suppress(FileNotFoundError):
                if path.name not in named and path.stat().st_mtime < time.time() - _GRACE_S:
                    path.unlink()
