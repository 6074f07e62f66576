"""What this machine last saw of a remote data root: each file as it was here, and its object as it was there."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jepa_core.remote.layout import OWN, Scope

_TABLES = """
create table if not exists files (path text primary key, size integer, mtime_ns integer, token text) without rowid;
create table if not exists going (path text primary key) without rowid;
"""


@dataclass(frozen=True)
class Seen:
    """A file and its object, when they were last the same."""

    size: int
    """Bytes of both."""

    mtime_ns: int
    """Of the file; of pixels that were left there, what it will be once they are fetched."""

    token: str | None
    """Of the object; None where it was sent and not listed since."""


class Journal:
    """A table beside the copy; each method is one transaction, which a kill leaves done or undone."""

    def __init__(self, root: Path) -> None:
        """Opens the journal of a copy, or begins it."""
        (root / OWN).mkdir(parents=True, exist_ok=True)
        self._path = root / OWN / "journal.db"
        with self._open() as connection:
            connection.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A connection each: the journal is looked at from several threads and processes, and seldom.
        connection = sqlite3.connect(self._path, timeout=60)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def seen(self, scope: Scope) -> dict[str, Seen]:
        """All files of a part of the data root, by path."""
        with self._open() as connection:
            rows = connection.execute("select path, size, mtime_ns, token from files")
            return {path: Seen(size, mtime, token) for path, size, mtime, token in rows if scope.holds(path)}

    def note(self, files: Mapping[str, Seen]) -> None:
        """Notes files, by path."""
        rows = [(path, seen.size, seen.mtime_ns, seen.token) for path, seen in files.items()]
        with self._open() as connection:
            connection.executemany("insert or replace into files values (?, ?, ?, ?)", rows)
            connection.executemany("delete from going where path = ?", [(path,) for path in files])

    def forget(self, paths: Iterable[str]) -> None:
        """Strikes files out."""
        rows = [(path,) for path in paths]
        with self._open() as connection:
            connection.executemany("delete from files where path = ?", rows)
            connection.executemany("delete from going where path = ?", rows)

    def going(self) -> set[str]:
        """Files that were removed here, and whose objects a push under way has yet to remove."""
        with self._open() as connection:
            return {path for (path,) in connection.execute("select path from going")}

    def note_going(self, paths: Iterable[str]) -> None:
        """Notes what a push is going to remove."""
        with self._open() as connection:
            connection.executemany("insert or replace into going values (?)", [(path,) for path in paths])
