"""What `jepa doctor` finds, and how it looks so that what changes meanwhile is not taken for broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jepa_core.errors import JepaError
from jepa_core.store import Store

_TRIES = 4


@dataclass(frozen=True)
class Cure:
    """Mending that loses nothing that cannot be made again."""

    locks: tuple[str, ...]
    """Held while it is done."""

    do: Callable[[], str]
    """Does it, and says what it did."""

    select: str
    """Asset that makes again what was removed; empty where nothing has to be."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    path: Path
    """The file or folder."""

    what: str
    """What is wrong with it."""

    means: str
    """What follows from that."""

    mends: str
    """What mends it."""

    wrong: bool = True
    """Whether it is an error; what is only left over is none."""

    cure: Cure | None = None
    """How `--mend` does it; None where a person has to."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        # Errors that name their file need not name it twice.
        what = self.what.removeprefix(f"{self.path} ")
        text = f"{self.path}: {what}; {self.means}. Mended by: {self.mends}"
        return " ".join(text.split())


@dataclass
class Ward:
    """A data root while it is looked at."""

    store: Store
    """The data root."""

    places: Callable[[str], "set[str] | None"]
    """Places that the archive lists of a sensor; None where it cannot be asked."""

    broken: dict[str, set[str]] = field(default_factory=dict)
    """Folders of scenes that were found broken, by sensor: what is made from them is not judged by them."""

    unread: set[str] = field(default_factory=set)
    """Sensors whose manifest cannot be read."""


def stamps(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Time and size of each file; zeros for those that are not there."""
    found = []
    for path in paths:
        try:
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:
            found.append((0, 0))
    return found


def settled(look: Callable[[], list[Finding]], says: Sequence[Path]) -> list[Finding]:
    """What is found while nothing changed; looks again where something did.

    Args:
        look: finds.
        says: files that say what is to be found; whoever changes it replaces them.
    """
    for _ in range(_TRIES):
        before = stamps(says)
        found = look()
        if not found or stamps(says) == before:
            return found
    return [Finding(says[0], "changes while it is looked at", "it was not judged", "look again later", wrong=False)]


def reason(error: Exception) -> str:
    """What is wrong, in the first line of what was raised."""
    text = str(error) or type(error).__name__
    return text.splitlines()[0] if isinstance(error, JepaError | OSError) else f"{type(error).__name__}: {text}"
