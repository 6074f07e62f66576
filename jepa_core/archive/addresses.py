"""Where a file lies, on this disk or elsewhere, in the words of GDAL (pixels) and of fsspec (metadata)."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import fsspec

from jepa_core.archive.scene import ArchiveError

_MAX_METADATA_BYTES = 64 << 20

_PATIENCE_S = 30.0
"""How long a server may keep silent."""

_GDAL = {"http": "/vsicurl/http://", "https": "/vsicurl/https://", "s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/"}


def is_remote(href: str) -> bool:
    """Whether reading it needs a network."""
    return _scheme(href) in _GDAL


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
        path = (folder / local_text(href)).resolve()
        within, there = path.is_relative_to(root.resolve()), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # Names too long, with zeros in them, or links that lead in circles.
        raise ArchiveError(f"{name}: {href[:200]!r} cannot be followed: {error}") from error
    if not within:
        raise ArchiveError(f"{name}: {href} lies outside the archive")
    if not there:
        raise ArchiveError(f"{name}: there is no file {path}")
    return path


def local_text(href: str) -> str:
    """The path in a local link, which may be a `file://` address."""
    return unquote(urlsplit(href).path) if _scheme(href) == "file" else href


def gdal_address(href: str) -> str:
    """What rasterio opens, for a remote file.

    Raises:
        ArchiveError: no such kind of address is read.
    """
    scheme = _scheme(href)
    if scheme not in _GDAL or "://" not in href:
        raise ArchiveError(f"{href} is not an address that can be read ({', '.join(_GDAL)} or a path)")
    return _GDAL[scheme] + href.split("://", 1)[1]


def read_metadata(href: str) -> bytes:
    """Bytes of a small file, local or remote.

    Raises:
        ArchiveError: it cannot be read, or is too large for metadata.
    """
    try:
        # Not through fsspec where it is local: `::` in a name would mean something there.
        with _opened(href) if is_remote(href) else Path(local_text(href)).open("rb") as file:
            data = bytes(file.read(_MAX_METADATA_BYTES + 1))
    except Exception as error:
        # fsspec's file systems raise their clients' own kinds.
        raise ArchiveError(f"{href} cannot be read: {error or type(error).__name__}") from error
    if len(data) > _MAX_METADATA_BYTES:
        raise ArchiveError(f"{href} is too large for metadata")
    return data


def _opened(href: str) -> Any:
    if _scheme(href) not in ("http", "https"):
        return fsspec.open(href, "rb")
    patience = aiohttp.ClientTimeout(sock_connect=_PATIENCE_S, sock_read=_PATIENCE_S)
    return fsspec.open(href, "rb", client_kwargs={"timeout": patience})


def _scheme(href: str) -> str:
    try:
        return urlsplit(href).scheme
    except ValueError:
        # An address that is none, such as `http://[`, is no remote one; as a path it leads nowhere.
        return ""
