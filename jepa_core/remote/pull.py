"""Bringing this machine's copy in line with the remote data root.

Another machine may be sending meanwhile. It sends what names other files last; so here that is fetched last, and put in
place only when a second listing shows that it is still what it was: then all that it names has been listed, too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jepa_core import atomic
from jepa_core.progress import advance
from jepa_core.remote import stand_in
from jepa_core.remote.bucket import There
from jepa_core.remote.copy import Copy, batches, place
from jepa_core.remote.errors import GoneError, RemoteError
from jepa_core.remote.journal import Seen
from jepa_core.remote.layout import OWN, Scope, pixels_of, rank

_TRIES = 20
"""Listings until another machine's sending is waited for no longer."""

_WORTH_A_BAR = 5_000_000
"""Bytes."""


@dataclass
class _Plan:
    """What sets the copy apart from the remote root."""

    fetch: list[str] = field(default_factory=list)
    """Other there than here, or not here."""

    left: dict[str, list[str]] = field(default_factory=dict)
    """Objects by folder of pixels, where they are not here and stay there."""

    same: dict[str, Seen] = field(default_factory=dict)
    """The same, which the journal does not know yet."""

    remove: list[str] = field(default_factory=list)
    """Gone there, and unchanged here."""

    forget: list[str] = field(default_factory=list)
    """Gone there, and gone or changed here."""


def pull(copy: Copy, scope: Scope, gently: bool = False) -> bool:
    """Fetches what differs, and removes what is gone there. What was changed here and not sent yet stays.

    Where both sides changed, as after a run that was killed before it sent and another machine's since, theirs counts.

    Args:
        copy: of the data root.
        scope: part of the data root.
        gently: only adds what was never here: another process of this machine is at work on the copy.

    Returns:
        Whether anything was fetched or removed.

    Raises:
        RemoteError: the root cannot be read.
    """
    listed = copy.bucket.list(scope)
    for _ in range(_TRIES):
        plan = _plan(copy, scope, listed, gently)
        naming = [path for path in plan.fetch if rank(path)]
        naming.sort(key=lambda path: rank(path, (copy.root / path).exists()))
        naming_nothing = [path for path in plan.fetch if not rank(path)]
        with atomic.scratch_folder(copy.root / OWN / "pull") as scratch:
            try:
                _fetch(copy, naming_nothing, listed, scratch)
                _leave(copy, plan, listed)
                files = [scratch / f"naming-{number}" for number in range(len(naming))]
                for lot in batches([(number, listed[naming[number]].size) for number in range(len(naming))]):
                    copy.bucket.fetch([naming[number] for number in lot], [files[number] for number in lot])
                if naming:
                    again = copy.bucket.list(scope)
                    if _naming(again) != _naming(listed):
                        listed = again
                        continue
                    # The first listing may have missed what was sent while it went on.
                    missed = _plan(copy, scope, again, gently)
                    _fetch(copy, [path for path in missed.fetch if not rank(path)], again, scratch)
                    _leave(copy, missed, again)
            except GoneError:
                listed = copy.bucket.list(scope)
                continue
            for path, file in zip(naming, files, strict=True):
                copy.journal.note({path: place(file, copy.root / path, listed[path])})
        _tidy(copy, plan)
        return bool(plan.fetch or plan.left or plan.remove)
    raise RemoteError(f"{copy.bucket.address} changes faster than it can be read; run again when the other run ended")


def _naming(listed: Mapping[str, There]) -> dict[str, str]:
    return {path: there.token for path, there in listed.items() if rank(path)}


def _plan(copy: Copy, scope: Scope, listed: Mapping[str, There], gently: bool) -> _Plan:
    files, seen, going = copy.files(scope), copy.journal.seen(scope), copy.journal.going()
    plan = _Plan()
    left: dict[str, list[str]] = defaultdict(list)
    for path, there in listed.items():
        here, before = files.get(path), seen.get(path)
        known = before is not None and before.token == there.token
        pixels = pixels_of(path)
        if (gently and (here or before)) or (path in going and known) or (here and known):
            continue
        if pixels and not (copy.root / pixels).exists():
            left[pixels].append(path)
        elif here is None:
            plan.fetch.append(path)
        elif _sent_by_us(before, here, there) or copy.is_same(path, here, there):
            plan.same[path] = Seen(*here, there.token)
        else:
            plan.fetch.append(path)
    plan.left = {
        pixels: paths
        for pixels, paths in left.items()
        if not (copy.root / pixels).with_name(stand_in.NAME).exists()
        or any(path not in seen or seen[path].token != listed[path].token for path in paths)
    }
    if gently:
        return plan
    for path, before in seen.items():
        if path not in listed:
            unchanged = files.get(path) == (before.size, before.mtime_ns)
            (plan.remove if unchanged else plan.forget).append(path)
    return plan


def _sent_by_us(before: Seen | None, here: tuple[int, int], there: There) -> bool:
    """Whether it is what a killed push sent, as far as can be told of what was sent in parts."""
    sent = before is not None and before.token is None and here == (before.size, before.mtime_ns)
    return sent and there.size == here[0] and "-" in there.token


def _fetch(copy: Copy, paths: Sequence[str], listed: Mapping[str, There], scratch: Path) -> None:
    def lots() -> Iterator[int]:
        for lot in batches([(path, listed[path].size) for path in paths]):
            files = [scratch / str(number) for number in range(len(lot))]
            copy.bucket.fetch(lot, files)
            placed = zip(lot, files, strict=True)
            copy.journal.note({path: place(file, copy.root / path, listed[path]) for path, file in placed})
            yield len(lot)

    worth = sum(listed[path].size for path in paths) > _WORTH_A_BAR
    advance(lots(), f"Fetching from {copy.bucket.address}", len(paths) if worth else 0, "file")


def _leave(copy: Copy, plan: _Plan, listed: Mapping[str, There]) -> None:
    """Has small files stand in for pixels, as if they lay here."""
    for pixels, paths in plan.left.items():
        of = {path: listed[path] for path in paths}
        folder = (copy.root / pixels).parent
        stand_in.write(folder, copy.bucket.address, pixels, sum(there.size for there in of.values()))
        copy.journal.note({path: Seen(there.size, there.modified_ns, there.token) for path, there in of.items()})


def _tidy(copy: Copy, plan: _Plan) -> None:
    copy.journal.note(plan.same)
    copy.remove(plan.remove)
    gone = {pixels for path in (*plan.remove, *plan.forget) if (pixels := pixels_of(path))}
    copy.remove(f"{pixels.rpartition('/')[0]}/{stand_in.NAME}" for pixels in sorted(gone))
    copy.journal.forget([*plan.remove, *plan.forget])
