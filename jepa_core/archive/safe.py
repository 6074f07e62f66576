"""SAFE products, as folders and as zips of such folders: their files, whatever lies inside."""

import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from jepa_core.archive.scene import ArchiveError

_MAX_METADATA_BYTES = 64 << 20
"""Annotations of Sentinel-1 have 2 MB; more than this is no metadata."""

_MAX_MEMBERS = 10_000
"""A product has a few hundred files."""

_BOMB_RATIO = 100
"""JPEG 2000 does not shrink and amplitudes shrink by two: what expands a hundredfold is no product."""

_BOMB_BYTES = 256 << 20
"""Small files may expand as they like."""

_ZIP_ERRORS = (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)
"""What `zipfile` raises on what is no whole zip."""


@dataclass(frozen=True)
class Safe:
    """One product."""

    name: str
    """Without `.SAFE`."""

    place: Path
    """The folder, or the zip."""

    members: tuple[str, ...]
    """Paths of its files below the product's folder, sorted, with forward slashes."""

    _inner: str = field(default="", repr=False)
    """Folder inside a zip, with a slash behind it; empty for a folder on disk."""

    def find(self, pattern: str) -> list[str]:
        """Members whose whole path fits a regular expression."""
        return [member for member in self.members if re.fullmatch(pattern, member)]

    def only(self, pattern: str, what: str) -> str:
        """The one member whose whole path fits a regular expression.

        Raises:
            ArchiveError: there is none, or more than one; the message says of `what`.
        """
        found = self.find(pattern)
        if len(found) != 1:
            raise ArchiveError(f"{self.place} has {len(found) or 'no'} {what}; one is needed")
        return found[0]

    def name_of(self, member: str) -> str:
        """The member as a person would look for it."""
        return f"{self.place}/{member}"

    def read(self, member: str) -> bytes:
        """Bytes of a metadata file.

        Raises:
            ArchiveError: it cannot be read, or is too large for metadata.
        """
        try:
            if not self._inner:
                path = self.place / member
                if path.stat().st_size > _MAX_METADATA_BYTES:
                    raise ArchiveError(f"{path} has {path.stat().st_size} bytes: too many for metadata")
                return path.read_bytes()
            with zipfile.ZipFile(self.place) as archive, archive.open(self._inner + member) as file:
                data = file.read(_MAX_METADATA_BYTES + 1)
        except (*_ZIP_ERRORS, EOFError, zlib.error, lzma.LZMAError) as error:
            raise ArchiveError(f"{self.name_of(member)} cannot be read: {error}") from error
        if len(data) > _MAX_METADATA_BYTES:
            raise ArchiveError(f"{self.name_of(member)} is too large for metadata")
        return data

    def address(self, member: str) -> str:
        """What rasterio opens."""
        if self._inner:
            # Braces keep GDAL from looking for the end of the zip's name by its ending.
            return f"/vsizip/{{{self.place}}}/{self._inner}{member}"
        return str(self.place / member)


def open_safe(place: Path) -> Safe:
    """The product at a place.

    Raises:
        ArchiveError: a link, a folder or zip that cannot be read, or a zip that is not one product or not harmless.
    """
    if place.is_symlink():
        raise ArchiveError(f"{place} is a symbolic link; put the product itself into the archive")
    if place.is_dir():
        members = tuple(sorted(_files_under(place)))
        if not members:
            raise ArchiveError(f"{place} is empty, or must not be read")
        return Safe(place.name.removesuffix(".SAFE"), place, members)
    return _open_zip(place)


def _files_under(place: Path) -> Iterator[str]:
    for folder, _, files in os.walk(place, followlinks=False):
        for name in files:
            path = Path(folder) / name
            if path.is_symlink():
                raise ArchiveError(f"{path} is a symbolic link; products have none")
            yield path.relative_to(place).as_posix()


def _open_zip(place: Path) -> Safe:
    try:
        with zipfile.ZipFile(place) as archive:
            entries = archive.infolist()
    except _ZIP_ERRORS as error:
        raise ArchiveError(f"{place} is not a readable zip: {error}") from error
    _check_harmless(place, entries)
    names = [entry.filename for entry in entries if not entry.is_dir()]
    roots = {match[0] for name in names if (match := re.match(r"(?:[^/]+/)*?[^/]+\.SAFE/", name))}
    if len(roots) != 1:
        raise ArchiveError(f"{place} holds {len(roots) or 'no'} products; one folder <product>.SAFE is needed")
    (root,) = roots
    members = tuple(sorted(name.removeprefix(root) for name in names if name.startswith(root)))
    return Safe(PurePosixPath(root).name.removesuffix(".SAFE"), place, members, root)


def _check_harmless(place: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > _MAX_MEMBERS:
        raise ArchiveError(f"{place} holds {len(entries)} files; no product has so many")
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/"))
        if not parts.parts:
            raise ArchiveError(f"{place} holds an entry without a name")
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise ArchiveError(f"{place} holds {entry.filename!r}, which leads out of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ArchiveError(f"{place} holds the symbolic link {entry.filename!r}")
        if entry.flag_bits & 1:
            raise ArchiveError(f"{place} is encrypted")
    large = sum(entry.file_size for entry in entries)
    small = sum(entry.compress_size for entry in entries)
    if large > _BOMB_BYTES and large > _BOMB_RATIO * max(small, 1):
        raise ArchiveError(f"{place} would expand {large // max(small, 1)}-fold; no product does")
