"""Removing what nothing needs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jepa_core.errors import JepaError
from jepa_core.operating.waste import FINDERS, Finder, Waste, Wish
from jepa_core.operating.working import alone
from jepa_core.stages import size_of
from jepa_core.store import Store


@dataclass(frozen=True)
class Planned:
    """Something that would go, and what that frees."""

    waste: Waste
    """What it is."""

    bytes: int
    """Of it; of a linked shard what lies behind the link, too."""


def planned(store: Store, wish: Wish, problem: Callable[[str], None]) -> list[Planned]:
    """What would be removed; nothing is.

    Args:
        store: the data root.
        wish: how much is to go.
        problem: is told of what cannot be read, so that nothing of a kind can be called waste.
    """
    return [_weighed(waste) for finder in FINDERS for waste in _found(finder, store, wish, problem)]


def prune(store: Store, wish: Wish, gone: Callable[[Planned], None], problem: Callable[[str], None]) -> tuple[int, int]:
    """Removes what nothing needs. What somebody is working on stays, and so does what cannot be judged.

    A process that has an index open goes on searching it.

    Args:
        store: the data root.
        wish: how much is to go.
        gone: is told of each thing that was removed.
        problem: is told what stayed, and why.

    Returns:
        How many things were removed, and their bytes.
    """
    count = freed = 0
    for finder in FINDERS:
        for locks, things in _by_locks(_found(finder, store, wish, problem)).items():
            with alone(store, locks) as who:
                if who is not None:
                    problem(f"{', '.join(str(thing.path) for thing in things)}: left there: {who}")
                    continue
                # What was found before the locks were held may be needed by now.
                still = {thing.path for thing in _found(finder, store, wish, problem)}
                for thing in things:
                    if thing.path in still and (done := _removed(thing, problem)) is not None:
                        gone(done)
                        count, freed = count + 1, freed + done.bytes
    return count, freed


def _removed(thing: Waste, problem: Callable[[str], None]) -> Planned | None:
    try:
        done = _weighed(thing)
        thing.remove()
    except OSError as error:
        problem(f"{thing.path}: cannot be removed: {error}")
        return None
    return done


def _found(finder: Finder, store: Store, wish: Wish, problem: Callable[[str], None]) -> list[Waste]:
    try:
        return finder(store, wish)
    except (JepaError, OSError) as error:
        problem(f"{finder.__name__}: left there, for what is needed cannot be known: {error}")
        return []


def _by_locks(things: Iterable[Waste]) -> dict[tuple[str, ...], list[Waste]]:
    groups: dict[tuple[str, ...], list[Waste]] = {}
    for thing in things:
        groups.setdefault(thing.locks, []).append(thing)
    return groups


def _weighed(waste: Waste) -> Planned:
    linked = [p.resolve() for p in waste.path.iterdir() if p.is_symlink()] if waste.kind == "index" else []
    return Planned(waste, sum(max(size_of(path), 0) for path in (waste.path, *linked)))
