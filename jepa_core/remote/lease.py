"""The right to write to a remote data root: one process has it, whose machine renews it while it lives.

A lease is a numbered object. It is taken by making the next number, which of several processes only one can do, so that
a holder who fell silent is followed by exactly one. A number is never used again: giving back leaves it, marked free.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jepa_core.locks import this_process
from jepa_core.processes import lives
from jepa_core.remote.bucket import Bucket
from jepa_core.remote.errors import LeaseLostError, RemoteError
from jepa_core.remote.layout import LEASES

LAPSE_S = 180.0
"""A holder who has not renewed for so long is taken to be dead. Clocks have to agree to within a fraction of it."""

RENEW_S = 30.0
"""From one renewal to the next."""

POLL_S = 5.0
"""From one look at another's lease to the next."""


class Lease:
    """A lease that this process holds; to be had from `leased`."""

    def __init__(self, bucket: Bucket, number: int, renew_s: float, lapse_s: float) -> None:
        """Begins to renew it."""
        self._bucket, self._number, self._renew_s, self._lapse_s = bucket, number, renew_s, lapse_s
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew, daemon=True)
        self._renewer.start()

    def check(self) -> None:
        """Makes sure that it is still this process's.

        Raises:
            LeaseLostError: another process took over, or it could not be renewed for too long.
        """
        if self._lost.is_set() or _latest(self._bucket) != self._number:
            raise LeaseLostError(
                f"{self._bucket.address}: another process took over, for this one could not be reached for "
                f"{self._lapse_s:.0f} s; what it made lies in its copy. Run again"
            )

    def _renew(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(self._renew_s):
            try:
                if _latest(self._bucket) != self._number:
                    self._lost.set()
                    return
                self._bucket.write(_path(self._number), _content(this_process()))
                last = time.monotonic()
            except RemoteError:
                # The server may be back in time.
                if time.monotonic() - last > self._lapse_s / 2:
                    self._lost.set()
                    return

    def give_back(self) -> None:
        """Leaves it to others."""
        self._ended.set()
        self._renewer.join()
        # Where this fails, others wait until it lapses.
        with suppress(RemoteError):
            if not self._lost.is_set() and _latest(self._bucket) == self._number:
                self._bucket.write(_path(self._number), _content(None))


@contextmanager
def leased(
    bucket: Bucket, waiting: Callable[[str], None], lapse_s: float = LAPSE_S, renew_s: float = RENEW_S
) -> Iterator[Lease]:
    """Holds the right to write while the block lasts.

    Args:
        bucket: of the data root.
        waiting: is told, once, who holds it, if another process does; then it is waited for.
        lapse_s: seconds without renewal after which a holder is taken to be dead.
        renew_s: seconds from one renewal to the next.

    Raises:
        RemoteError: the root cannot be written.
    """
    told = False
    while True:
        number = _latest(bucket)
        holder = _holder(bucket, number, lapse_s)
        if holder is None:
            if bucket.create(_path(number + 1), _content(this_process())):
                break
        else:
            if not told:
                waiting(
                    f"{holder} is writing to {bucket.address}; waiting for it to end (should it be dead, up to "
                    f"{lapse_s:.0f} s)"
                )
                told = True
            time.sleep(min(POLL_S, lapse_s / 4))
    bucket.remove([_path(older) for older in range(max(number - 2, 1), number + 1)] if number else [])
    lease = Lease(bucket, number + 1, renew_s, lapse_s)
    try:
        yield lease
    finally:
        lease.give_back()


@dataclass(frozen=True)
class _Holding:
    """What a lease says."""

    holder: str | None
    """In words; None where it was given back."""

    machine: str
    """Of the holder."""

    pid: int
    """Of the holder."""


def _holder(bucket: Bucket, number: int, lapse_s: float) -> str | None:
    """Who holds the latest lease, in words; None where nobody does who lives."""
    content = bucket.read(_path(number)) if number else None
    if content is None:
        return None
    held = _Holding(**json.loads(content))
    written = bucket.list_folder(LEASES).get(_path(number).rpartition("/")[2])
    silent = written is not None and time.time() - written.modified_ns / 1e9 > lapse_s
    dead = held.machine == _machine() and not lives(held.pid)
    return None if silent or dead else held.holder


def _latest(bucket: Bucket) -> int:
    # Some servers list the folder itself, too.
    stems = (Path(name).stem for name in bucket.list_folder(LEASES))
    return max((int(stem) for stem in stems if stem.isdecimal()), default=0)


def _path(number: int) -> str:
    return f"{LEASES}/{number:08d}.json"


def _content(holder: str | None) -> bytes:
    return json.dumps({"holder": holder, "machine": _machine(), "pid": os.getpid()}).encode()


def _machine() -> str:
    """What has to agree for a process's number to mean something: the machine, its start, and the container."""
    facts = [platform.node()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        facts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(facts)
