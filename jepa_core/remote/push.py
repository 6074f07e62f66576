"""Sending what changed here to the remote data root, so that whoever reads there at any moment finds it whole.

What names nothing goes first, then what names it, and what nothing names any more is removed last. A push that is
killed leaves the remote root as it was, or further on; the next one sends the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from jepa_core.progress import advance
from jepa_core.remote import stand_in
from jepa_core.remote.bucket import There
from jepa_core.remote.copy import Copy, batches
from jepa_core.remote.journal import Seen
from jepa_core.remote.layout import Scope, pixels_of, rank

_WORTH_A_BAR = 5_000_000
"""Bytes."""

_MOST_LISTINGS = 50
"""Of scenes or models by themselves, before all of a kind are listed at once."""


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    sent: tuple[str, ...]
    """Paths under the data root, in the order in which they were sent."""

    removed: tuple[str, ...]
    """Paths under the data root."""


def push(copy: Copy, scope: Scope, still_mine: Callable[[], None] = lambda: None) -> Pushed:
    """Sends what was changed here since the last pull or push, and removes what was removed here.

    Args:
        copy: of the data root; it was pulled since the lease was taken.
        scope: part of the data root, which was pulled.
        still_mine: raises where another writer took over.

    Raises:
        LeaseLostError: another writer took over.
        RemoteError: the root cannot be written.
    """
    files, seen = copy.files(scope), copy.journal.seen(scope)
    touched, changed = {}, []
    for path, here in files.items():
        before = seen.get(path)
        if before is not None and (before.size, before.mtime_ns) == here and before.token is not None:
            continue
        # Written anew, with what it held before.
        if before is not None and before.token and copy.is_same(path, here, There(before.size, before.token, 0)):
            touched[path] = Seen(*here, before.token)
        else:
            changed.append(path)
    copy.journal.note(touched)
    gone = [path for path in seen if path not in files and not _left_there(copy, path)]
    copy.journal.note_going(gone)
    order = sorted(changed, key=lambda path: (rank(path, path in seen), path))

    def lots() -> Iterator[int]:
        for turn in sorted({rank(path, path in seen) for path in order}):
            of_turn = [path for path in order if rank(path, path in seen) == turn]
            for lot in batches([(path, files[path][0]) for path in of_turn]):
                still_mine()
                copy.bucket.send([copy.root / path for path in lot], lot)
                copy.journal.note({path: Seen(*files[path], None) for path in lot})
                yield len(lot)

    worth = sum(files[path][0] for path in order) > _WORTH_A_BAR
    advance(lots(), f"Sending to {copy.bucket.address}", len(order) if worth else 0, "file")
    if gone:
        still_mine()
        copy.bucket.remove(gone)
        copy.journal.forget(gone)
    _learn(copy, order)
    return Pushed(tuple(order), tuple(gone))


def _left_there(copy: Copy, path: str) -> bool:
    """Whether a file is of pixels that were never fetched."""
    pixels = pixels_of(path)
    return pixels is not None and ((copy.root / pixels).parent / stand_in.NAME).exists()


def _learn(copy: Copy, sent: Sequence[str]) -> None:
    """Notes what the storage calls the objects that were sent, so that the next pull knows them."""
    folders = {_folder(path, 3) for path in sent}
    if len(folders) > _MOST_LISTINGS:
        folders = {_folder(path, 2) for path in sent}
    scope = Scope(tuple(sorted(folders)))
    listed = copy.bucket.list(scope) if sent else {}
    known = copy.journal.seen(scope)
    mine = set(sent)
    copy.journal.note(
        {
            path: replace(known[path], token=there.token)
            for path, there in listed.items()
            if path in mine and known[path].size == there.size
        }
    )


def _folder(path: str, depth: int) -> str:
    """What is listed to find a file again: its folder, or one above it that is no deeper than that."""
    folders = path.split("/")[:-1][:depth]
    return f"{'/'.join(folders)}/" if folders else path
