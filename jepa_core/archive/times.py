"""Times as metadata write them."""

from datetime import UTC, datetime

from jepa_core.archive.scene import ArchiveError


def parse_time(text: str, name: str) -> datetime:
    """A time in ISO 8601, as UTC; one that names no zone is UTC, in which acquisition times are given.

    Args:
        text: such as `2023-08-15T09:57:57.246Z` or `20230815T095757`.
        name: of the file it comes from, for messages.

    Raises:
        ArchiveError: it is no time.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError) as error:
        raise ArchiveError(f"{name}: {str(text)[:40]!r} is no time") from error
