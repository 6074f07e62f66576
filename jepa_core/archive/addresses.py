"""Where a file lies, on this disk or elsewhere, in the words of GDAL (pixels) and of fsspec (metadata)."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import fsspec

from jepa_core.archive.scene import ArchiveError

_MAX_METADATA_BYTES = 64 << 20

_GDAL = {"http": "/vsicurl/http://", "https": "/vsicurl/https://", "s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/"}


def is_remote(href: str) -> bool:
    """Whether reading it needs a network."""
    try:
        return urlsplit(href).scheme in _GDAL
    except ValueError:
        # Such as a bracket that is never closed.
        return False


def local_path(href: str, folder: Path, root: Path, name: str) -> Path:
    """The file that a local link means.

    Args:
        href: a path, counted from `folder` where it is relative, or a `file://` address.
        folder: where the link was found.
        root: of the archive.
        name: of the file with the link, for messages.

    Raises:
        ArchiveError: it leads out of the archive, or there is no such file.
    """
    try:
        text = unquote(urlsplit(href).path) if href.startswith("file:") else href
        path = (folder / text).resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # Too long, in a folder that must not be entered; with a zero in it; a link to itself.
        raise ArchiveError(f"{name}: {href[:200]!r} cannot be followed: {error}") from error
    if not path.is_relative_to(root.resolve()):
        raise ArchiveError(f"{name}: {href} lies outside the archive")
    if not there:
        raise ArchiveError(f"{name}: there is no file {path}")
    return path


def gdal_address(href: str) -> str:
    """What rasterio opens, for a remote file.

    Raises:
        ArchiveError: no such kind of address is read.
    """
    scheme = urlsplit(href).scheme
    if scheme not in _GDAL:
        raise ArchiveError(f"{href} is not an address that can be read ({', '.join(_GDAL)} or a path)")
    return _GDAL[scheme] + href.split("://", 1)[1]


def read_metadata(href: str) -> bytes:
    """Bytes of a small file, local or remote.

    Raises:
        ArchiveError: it cannot be read, or is too large for metadata.
    """
    try:
        with fsspec.open(href, "rb") as file:
            data = bytes(file.read(_MAX_METADATA_BYTES + 1))
    except Exception as error:
        # fsspec's file systems raise their clients' own kinds.
        raise ArchiveError(f"{href} cannot be read: {error or type(error).__name__}") from error
    if len(data) > _MAX_METADATA_BYTES:
        raise ArchiveError(f"{href} is too large for metadata")
    return data
