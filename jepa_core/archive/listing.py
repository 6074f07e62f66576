"""What readers share when they list places."""

import os
from pathlib import Path

from jepa_core.archive.scene import ArchiveError, Scene


def stat_of(path: Path | str) -> list[int]:
    """Size, time and mode of a file, for a stamp; nothing where it cannot be looked at."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return []
    return [status.st_size, status.st_mtime_ns, status.st_mode]


def fail(error: ArchiveError) -> Scene:
    """Reads a source of which listing has found that it cannot be read.

    Raises:
        ArchiveError: the error, always.
    """
    raise error
