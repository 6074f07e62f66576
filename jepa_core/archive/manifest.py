"""What `manifest.safe` says must lie in a product's folder: while some of it does not, the product is being copied."""

import zipfile
from pathlib import Path, PurePosixPath

from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.xml import parse_xml

_NAME = "manifest.safe"

_MAX_BYTES = 16 << 20
"""Manifests have some 100 kB."""


def lacking(place: Path) -> str:
    """What of a product has not come yet; empty where all is there, or where its manifest cannot be understood.

    Args:
        place: folder `<product>.SAFE`, or a zip of it.
    """
    if not place.is_dir():
        return "" if zipfile.is_zipfile(place) else "the end of the zip"
    manifest = place / _NAME
    try:
        if not manifest.exists():
            return _NAME
        if manifest.stat().st_size > _MAX_BYTES:
            return ""
        wanted = _listed(manifest)
    except ArchiveError:
        return f"the end of {_NAME}"
    except OSError:
        # Not to be looked at, which waiting does not change.
        return ""
    missing = [name for name, size in wanted.items() if not _is_there(place / name, size)]
    if not missing:
        return ""
    return f"{missing[0]}{f' and {len(missing) - 1} more files' if len(missing) > 1 else ''}"


def _listed(manifest: Path) -> dict[str, int | None]:
    """Size of each file, by path inside the product; None where none is said."""
    found: dict[str, int | None] = {}
    for stream in parse_xml(manifest.read_bytes(), str(manifest)).iter("byteStream"):
        location = stream.find("fileLocation")
        href = PurePosixPath("" if location is None else location.get("href", ""))
        # A path that leads elsewhere says nothing of this product.
        if href.parts and not href.is_absolute() and ".." not in href.parts:
            size = stream.get("size", "")
            found[str(href)] = int(size) if size.isdecimal() else None
    return found


def _is_there(path: Path, size: int | None) -> bool:
    try:
        found = path.stat().st_size
    except OSError:
        return False
    return size is None or found == size
