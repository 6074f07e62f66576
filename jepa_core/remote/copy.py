"""This machine's copy of a remote data root: what lies in it, and how files come into it."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jepa_core.remote.bucket import Bucket, There
from jepa_core.remote.journal import Journal, Seen
from jepa_core.remote.layout import Scope, stays_local

T = TypeVar("T")

_MOST_FILES = 64
_MOST_BYTES = 256_000_000
"""Of a batch: what a kill can cost, and what is held in memory."""


@dataclass(frozen=True)
class Copy:
    """A remote data root with this machine's copy of it."""

    root: Path
    """Folder of the copy."""

    bucket: Bucket
    """The root itself."""

    journal: Journal
    """What was last seen of it."""

    @classmethod
    def of(cls, address: str, root: Path) -> "Copy":
        """The copy of an address, in a folder that need not exist yet.

        Raises:
            RemoteError: nothing here opens such addresses.
        """
        return cls(root, Bucket(address), Journal(root))

    def files(self, scope: Scope) -> dict[str, tuple[int, int]]:
        """Size and time (nanoseconds) of each file of a part of the data root, by path."""
        found = {}
        for path in scope.under:
            for file in _files_under(self.root, self.root / path):
                name = file.relative_to(self.root).as_posix()
                if scope.holds(name):
                    about = file.stat()
                    found[name] = (about.st_size, about.st_mtime_ns)
        return found

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files, and the folders that are empty then."""
        for path in paths:
            file = self.root / path
            file.unlink(missing_ok=True)
            for folder in file.parents:
                if folder == self.root or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()

    def is_same(self, path: str, here: tuple[int, int], there: There) -> bool:
        """Whether a file provably holds what the object holds."""
        if here[0] != there.size or len(there.token) != 32:
            return False
        with (self.root / path).open("rb") as file:
            # Not for safety: it is what storages name an object's content by.
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == there.token


def place(temporary: Path, path: Path, there: There) -> Seen:
    """Puts a fetched file into its place; gives what to note of it."""
    # By the object's own time: so it can be known beforehand, and what is changed here differs from it.
    os.utime(temporary, ns=(there.modified_ns, there.modified_ns))
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        # What power failure cut short would look like a change made here.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    size = temporary.stat().st_size
    os.replace(temporary, path)
    return Seen(size, there.modified_ns, there.token)


def batches(items: Sequence[tuple[T, int]]) -> Iterator[list[T]]:
    """Items with their bytes, in lots that bound what is under way."""
    lot: list[T] = []
    size = 0
    for item, amount in items:
        if lot and (len(lot) == _MOST_FILES or size + amount > _MOST_BYTES):
            yield lot
            lot, size = [], 0
        lot.append(item)
        size += amount
    if lot:
        yield lot


def _files_under(root: Path, place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    # Links too: shards of an index may lie elsewhere.
    for folder, names, files in os.walk(place, followlinks=True):
        base = Path(folder)
        inner = base.relative_to(root)
        names[:] = [name for name in names if not stays_local(f"{(inner / name).as_posix()}/x")]
        yield from (base / name for name in files)
