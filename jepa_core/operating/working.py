"""Who is working on which part of a data root, and taking parts for oneself."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout

from jepa_core import versions
from jepa_core.locks import held, holder_of
from jepa_core.store import Store

BENCHMARK = "benchmark"
"""Lock of `jepa benchmark`, which trains and judges in the data root of a set."""


def locks_over(store: Store, path: Path) -> tuple[str, ...]:
    """Names of the locks that are held by whoever writes to a place; none where nothing is known of it."""
    room, name, *_ = (*path.relative_to(store.root).parts, "", "")
    name = name.removeprefix(".tmp-")
    by_room: dict[str, tuple[str, ...]] = {
        "patches": (f"{name}_patches",),
        "pairs": ("patch_pairs",),
        "models": (f"{name}_model", BENCHMARK),
        "training": (f"{name.partition('-')[0]}_model", BENCHMARK),
        # Caches are by pairs, not by variant.
        "cache": (*(f"{variant}_model" for variant in versions.MODEL), BENCHMARK),
        "descriptors": (f"{name}_descriptors",),
        "indexes": (f"{name}_indexes",),
        "benchmarks": (f"{name}_benchmark", BENCHMARK),
        "baselines": ("baselines", BENCHMARK),
        "stages": (name.partition(".")[0],),
    }
    return by_room.get(room, ()) if name else ()


@contextmanager
def alone(store: Store, names: Sequence[str]) -> Iterator[str | None]:
    """Holds some locks while the block lasts, or none of them where somebody else holds one.

    It does not wait: what holds such a lock may train for days.

    Args:
        store: the data root.
        names: of the locks.

    Yields:
        None where all are held; else who is at work.
    """
    who = None
    with ExitStack() as stack:
        for name in names:
            path = store.locks / f"{name}.lock"
            try:
                stack.enter_context(held(path, lambda _: None, patience_s=0.0))
            except Timeout:
                who = f"{holder_of(path) or 'another process'} is working on {name}"
                stack.close()
                break
        yield who


def at_work(store: Store, names: Sequence[str]) -> str | None:
    """Who holds one of some locks, in words; None where nobody does."""
    return next((f"{who} is working on {name}" for name in names if (who := _holder(store, name))), None)


def holders(store: Store) -> dict[str, str]:
    """Who holds each lock that is held now, by what is worked on."""
    paths = {path.stem: path for path in sorted(store.locks.glob("*.lock"))}
    for path in sorted((store.root / "indexes").glob("*/**/writer.lock")):
        paths[str(path.parent.relative_to(store.root))] = path
    found = {name: _asked(path) for name, path in paths.items()}
    return {name: who for name, who in found.items() if who is not None}


def _holder(store: Store, name: str) -> str | None:
    return _asked(store.locks / f"{name}.lock")


def _asked(path: Path) -> str | None:
    try:
        return holder_of(path)
    except OSError as error:
        return f"not known ({error})"
