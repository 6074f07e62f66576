"""Whether a file is still the one that was read."""

from pathlib import Path

Changes = tuple[int, ...]
"""Size, times of writing and of change (ns since 1970), and number of a file: others where the file is another."""


def changes_of(path: Path) -> Changes:
    """What a memory of a file's content is kept under.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
