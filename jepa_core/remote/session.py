"""Reading and writing a remote data root: what comes before and after the work on this machine's copy."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jepa_core.locks import held, holder_of
from jepa_core.remote import scopes
from jepa_core.remote.copy import Copy
from jepa_core.remote.layout import OWN, Scope
from jepa_core.remote.lease import leased
from jepa_core.remote.pull import pull
from jepa_core.remote.push import Pushed, push
from jepa_core.store import Store

_ROUNDS = 5
"""Of fetching, where another machine removes what was named a moment before."""

_writing: set[Path] = set()
"""Copies that this process is writing to: they are as fresh as can be, and nothing is to be fetched over them."""

_read: dict[tuple[Path, str], float] = {}
"""When this process last brought a copy in line, by what of it."""


def read(
    address: str,
    root: Path,
    wanted: Sequence[scopes.Wanted],
    say: Callable[[str], None],
    again_after_s: float = 0.0,
    name: str = "",
) -> None:
    """Brings what is read in line with the remote root. Nobody is kept from writing.

    Args:
        address: of the data root.
        root: this machine's copy.
        wanted: what is read, one after the other.
        say: is told when another process of this machine writes to the copy.
        again_after_s: seconds within which the same is not fetched again by this process.
        name: of what is read.

    Raises:
        RemoteError: it cannot be read.
    """
    now = time.monotonic()
    if root in _writing or now - _read.get((root, name), -again_after_s - 1) < again_after_s:
        return
    copy = Copy.of(address, root)

    def tell(who: str) -> None:
        say(f"{who} is fetching from {address}; waiting for it to end")

    with held(root / OWN / "pull.lock", tell):
        writer = holder_of(_writer_lock(root))
        if writer is not None:
            say(f"{writer} is writing to {address} from this machine: what it changes is seen as it is now")
        # What names a folder may have been fetched before another machine removed that folder: then once more.
        for _ in range(_ROUNDS):
            _, changed = _pull_all(copy, wanted, gently=writer is not None)
            if not changed:
                break
    _read[root, name] = time.monotonic()


@contextmanager
def write(
    address: str,
    root: Path,
    wanted: Sequence[scopes.Wanted],
    say: Callable[[str], None],
    pushed: Callable[[Pushed], None] = lambda _: None,
) -> Iterator[None]:
    """Holds the right to write while the block lasts; fetches what it reads, and sends what it changed if it succeeds.

    What a block that failed has changed stays in the copy, and goes with the next one that succeeds.

    Args:
        address: of the data root.
        root: this machine's copy.
        wanted: what is read and changed, one after the other.
        say: is told who has the right to write, if another process does; then it is waited for.
        pushed: is told what was sent.

    Raises:
        RemoteError: it cannot be read or written, or another process took over.
    """
    if root in _writing:
        yield
        return
    copy = Copy.of(address, root)

    def tell(who: str) -> None:
        say(f"{who} is writing to {address} from this machine; waiting for it to end")

    with held(_writer_lock(root), tell), leased(copy.bucket, say) as lease:
        with held(root / OWN / "pull.lock", lambda _: None):
            scope, _ = _pull_all(copy, wanted)
        _writing.add(root)
        try:
            yield
            pushed(push(copy, scope, lease.check))
        finally:
            _writing.discard(root)


def _writer_lock(root: Path) -> Path:
    return root / OWN / "writer.lock"


def _pull_all(copy: Copy, wanted: Sequence[scopes.Wanted], gently: bool = False) -> tuple[Scope, bool]:
    """Fetches all parts, each by what came with those before; gives all of them, and whether anything changed."""
    under, without = list(scopes.FIRST.under), list(scopes.FIRST.without)
    changed = pull(copy, scopes.FIRST, gently)
    for of in wanted:
        part = of(Store.at(copy.root))
        changed |= pull(copy, part, gently)
        under += part.under
        without += part.without
    # As one part, of which what names other files is sent last.
    return Scope(tuple(under), tuple(without)), changed
