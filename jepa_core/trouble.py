"""What went wrong with the machine rather than with a scene: a full disk is no broken product."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jepa_core.errors import JepaError


class MachineError(JepaError):
    """The machine stops the work, not the archive: nothing is set aside, and the next run goes on."""

    def __init__(self, message: str, may_pass: bool = True) -> None:
        """Says what is wrong, and whether it may pass by itself."""
        super().__init__(message)
        self.may_pass = may_pass


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Whatever scene is read, it meets the same."""

_PASSING = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.EAGAIN,
        errno.EBUSY,
        errno.ENXIO,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    }
)
"""A disk or network folder that does not answer: that says nothing of what a file holds."""


def may_pass(error: BaseException) -> bool:
    """Whether the same may go well a little later, with nothing done about it."""
    if isinstance(error, JepaError):
        return error.may_pass
    return isinstance(error, MemoryError) or _means(error, _MACHINE | _PASSING)


def passes(error: BaseException) -> bool:
    """Whether a scene could not be read for a reason that may pass by itself."""
    return any(_means(part, _PASSING) for part in _chain(error))


def raise_of_machine(error: BaseException, doing: str) -> None:
    """Ends the work where a scene could not be read for want of memory, files or room.

    Args:
        error: what reading raised.
        doing: with what, for the message.

    Raises:
        MachineError: it is of that kind.
    """
    if any(isinstance(part, MemoryError) or _means(part, _MACHINE) for part in _chain(error)):
        raise MachineError(f"{doing}: {error or type(error).__name__}. Nothing was set aside; see to it and run again")


@contextmanager
def plain_machine_errors(root: Path) -> Iterator[None]:
    """What the system says against writing to the data root, in plain words.

    Args:
        root: where the block writes. What it reads of the archive raises errors of the archive.

    Raises:
        MachineError: in place of any `OSError` or `MemoryError`.
    """
    try:
        yield
    except MemoryError as error:
        raise MachineError("memory does not suffice; nothing was set aside. Give it more and run again") from error
    except OSError as error:
        remedy = "make room" if error.errno in _FULL else "see to it"
        raise MachineError(
            f"cannot write to {root} ({error}); nothing was set aside: {remedy} and run again", may_pass(error)
        ) from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
    seen: set[int] = set()
    part: BaseException | None = error
    while part is not None and id(part) not in seen:
        seen.add(id(part))
        yield part
        part = part.__cause__ or part.__context__


def _means(error: BaseException, numbers: frozenset[int]) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in numbers
    # GDAL keeps the system's words and drops its number.
    return type(error).__module__.startswith("rasterio") and any(os.strerror(n) in str(error) for n in numbers)
