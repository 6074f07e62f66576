"""The files of a set as users hold them: an unpacked folder, or the zip file, read in place."""

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jepa_core.datasets.labelled_set import DatasetError

_LOCAL_HEADER = 30
"""Bytes of a zip member's header before its name."""


class Files(ABC):
    """Named files. Reading keeps no state: threads and forked processes may read at once."""

    place: Path
    """The folder or the zip file."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Paths below the root with forward slashes, sorted."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file.

        Raises:
            DatasetError: it is gone.
        """

    @abstractmethod
    def crc(self, name: str) -> int:
        """CRC-32 of a file's content: listed in a zip file, of a folder's file it takes reading it.

        Raises:
            DatasetError: it is gone.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            DatasetError: it is gone or damaged.
        """

    def described(self, name: str) -> str:
        """The file as messages name it."""
        return f"{name} in {self.place}"


@dataclass(frozen=True)
class _Folder(Files):
    place: Path
    found: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.found

    def size(self, name: str) -> int:
        try:
            return (self.place / name).stat().st_size
        except OSError as error:
            raise DatasetError(f"{self.place / name} cannot be read: {error.strerror}") from error

    def crc(self, name: str) -> int:
        return zlib.crc32(self.read(name))

    def read(self, name: str) -> bytes:
        try:
            return (self.place / name).read_bytes()
        except OSError as error:
            raise DatasetError(f"{self.place / name} cannot be read: {error.strerror}") from error

    def described(self, name: str) -> str:
        return str(self.place / name)


@dataclass(frozen=True)
class _Zip(Files):
    # `zipfile` reads through one file position, which forked processes would share; members are therefore found with
    # it and read without it.
    place: Path
    members: dict[str, zipfile.ZipInfo]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.members))

    def size(self, name: str) -> int:
        return self.members[name].file_size

    def crc(self, name: str) -> int:
        return self.members[name].CRC

    def read(self, name: str) -> bytes:
        member = self.members[name]
        try:
            with self.place.open("rb") as file:
                file.seek(member.header_offset)
                header = file.read(_LOCAL_HEADER)
                # Lengths of the member's name and of its extra field, which the directory may write otherwise.
                skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
                file.seek(skipped, os.SEEK_CUR)
                data = file.read(member.compress_size)
            if member.compress_type == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.file_size)
        except (OSError, zlib.error) as error:
            raise DatasetError(f"{self.described(name)} cannot be read: {error}") from error
        if zlib.crc32(data) != member.CRC:
            raise DatasetError(f"{self.described(name)} is damaged (its checksum differs): get the archive again")
        return data


def open_files(root: Path, endings: Sequence[str]) -> Files:
    """The files of some endings under a folder or in a zip file.

    Args:
        root: a folder, or a zip file packed by storing or deflating.
        endings: of names, with the dot, in lower case.

    Raises:
        DatasetError: nothing is there, or it is neither.
    """
    if root.is_dir():
        return _Folder(root, tuple(sorted(_named(root, tuple(endings)))))
    if not root.exists():
        raise DatasetError(f"{root} is not there: give the folder or the zip file that the set lies in")
    try:
        with zipfile.ZipFile(root) as archive:
            members = {
                member.filename: member
                for member in archive.infolist()
                if member.filename.lower().endswith(tuple(endings)) and not member.filename.startswith("__MACOSX/")
            }
    except (OSError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{root} is neither a folder nor a whole zip file ({error}): get it again") from error
    for name, member in members.items():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise DatasetError(
                f"{name} in {root} is packed in a way that is not read here: unpack it and give the folder"
            )
    return _Zip(root, members)


def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders below a root with names of their folders, which may be taken out, and files; links are followed.

    A folder that links lead to again is passed over, so that no circle of links is run in.
    """
    seen = set()
    for folder, inner, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            inner.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield Path(folder), inner, files


def _named(root: Path, endings: tuple[str, ...]) -> Iterator[str]:
    for folder, inner, files in walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        below = PurePosixPath(folder.relative_to(root))
        for name in files:
            if name.lower().endswith(endings) and not name.startswith("."):
                yield str(below / name)
