"""What of a data root goes to object storage, and in which order."""

import re
from dataclasses import dataclass

from jepa_core.remote import stand_in

LEASES = ".lease"
"""Folder of the leases, in object storage alone."""

OWN = ".remote"
"""Folder of what this machine knows of the remote root, in its copy alone."""

_LOCAL_FOLDERS = frozenset(
    {"cache", "catalogues", "training", "downloads", "sample-archive", "locks", "mlflow", LEASES, OWN}
)
"""Of one machine: scratch, checkpoints of a run under way, what can be fetched again, locks, and MLflow's database,
which SQLite cannot keep in object storage."""

_LOCAL_ENDINGS = (".lock", ".holder", f"/{stand_in.NAME}")

_SET = re.compile(r"^sets/[^/]+/")
"""Each labelled set has a data root of its own below the data root."""

_NAMES = (
    (1, re.compile(r"^patches/[^/]+/(cutting\.json|quarantine\.parquet)$")),
    (2, re.compile(r"^patches/[^/]+/sources\.parquet$")),
    (3, re.compile(r"^patches/[^/]+/manifest\.parquet$")),
    (4, re.compile(r"^indexes/.*index\.json$")),
    (5, re.compile(r"^indexes/.*shards\.json$")),
    (7, re.compile(r"^indexes/[^/]+/current\.json$")),
    (8, re.compile(r"^stages/shown/")),
    (9, re.compile(r"^stages/")),
)
"""What names other files comes after them, in the order in which a stage itself writes."""

_REPLACED_INDEX = 6


@dataclass(frozen=True)
class Scope:
    """Part of a data root."""

    under: tuple[str, ...] = ("",)
    """Files, and folders, which end on a slash; an empty one is all."""

    without: tuple[str, ...] = ()
    """Folders, ending on a slash, that do not belong to it."""

    def holds(self, path: str) -> bool:
        """Whether a file, by its path under the data root, belongs to it."""
        wanted = any(path == part or (path.startswith(part) and part[-1:] in ("", "/")) for part in self.under)
        return wanted and not path.startswith(self.without or ("\0",)) and not stays_local(path)


def stays_local(path: str) -> bool:
    """Whether a file, by its path under the data root, is of this machine only."""
    inner = _SET.sub("", path)
    if inner.partition("/")[0] in _LOCAL_FOLDERS or path.endswith(_LOCAL_ENDINGS):
        return True
    return any(part.startswith(".tmp-") for part in path.split("/"))


def rank(path: str, there: bool = False) -> int:
    """When a file is sent, and put in place: 0 for what names nothing, then by what names what.

    Args:
        path: under the data root.
        there: whether it takes the place of another. A shard's index that shrinks comes after the list of shards that
            takes in the one its scenes went to.
    """
    inner = _SET.sub("", path)
    found = next((number for number, names in _NAMES if names.search(inner)), 0)
    return _REPLACED_INDEX if found == 4 and there else found


def pixels_of(path: str) -> str | None:
    """The folder of pixels that a file belongs to, by paths under the data root; None where it is none of them."""
    before, found, _ = path.partition(f"/{stand_in.PIXELS}/")
    return f"{before}/{stand_in.PIXELS}" if found else None
