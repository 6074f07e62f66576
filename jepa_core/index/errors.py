"""What can be wrong with an index."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jepa_core.errors import JepaError
from jepa_core.fingerprint import short


class BrokenIndexError(JepaError):
    """An index is missing or broken."""


class IndexBusyError(JepaError):
    """Another process is writing to the index."""

    may_pass = True


class IndexWriteError(JepaError):
    """The index could not be written; it is as it was."""

    may_pass = True


class FingerprintMismatchError(JepaError):
    """Vectors of one model were offered to the index of another."""


def check_model(offered: str, model: str, what: str, variant: str) -> None:
    """Makes sure that vectors are of the index's model.

    Raises:
        FingerprintMismatchError: they are not; the message names both models.
    """
    if offered != model:
        raise FingerprintMismatchError(
            f"{what} of model {short(offered)} cannot be used with the index of model {short(model)}. "
            f"Run: dagster asset materialize --select {variant}_index"
        )


@contextmanager
def plain_write_errors(folder: Path) -> Iterator[None]:
    """What the system says against writing to an index, in plain words.

    Raises:
        IndexWriteError: in place of any `OSError`.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "make room, and run again" if full else "see to it, and run again"
        raise IndexWriteError(f"cannot write to the index in {folder} ({error}); it is as it was: {remedy}") from error
