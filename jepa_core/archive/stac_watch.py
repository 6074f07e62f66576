"""Asks a STAC API for what is new since it was last asked, and remembers the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pystac_client
from pystac_client.exceptions import APIError

from jepa_core.archive.stac_condition import updated_since
from jepa_core.archive.stac_item import sensor_of
from jepa_core.archive.stac_item_file import ItemFile, Kept
from jepa_core.archive.stac_memory import Head, Known, Memory
from jepa_core.archive.stac_remote import Found, open_api
from jepa_core.fingerprint import fingerprint, short
from jepa_core.trouble import MachineError

WHOLE_EVERY = timedelta(days=1)
"""So often an API is listed whole: that finds what was withdrawn, and what came later than the overlap."""

OVERLAP = timedelta(minutes=15)
"""Items are asked for from so long before the newest one: some arrive late, and clocks differ."""

FRESH = timedelta(seconds=10)
"""An answer stands so long: the other sensor, and the run that a change launches, need not ask again."""

LEFT_ALONE = timedelta(minutes=1)
"""An API that could not be asked is left alone so long: each attempt may wait for a minute."""

_FORMAT = 1
"""Raised when what is remembered means something else; the old is not read then."""


@dataclass(frozen=True)
class Answer:
    """What is known of an API's items."""

    memory: Memory
    """Holds the items."""

    items: Mapping[str, Kept]
    """Where each lies, by name."""

    trouble: str
    """Why the API could not be asked; empty: it could. What it said before stands."""


def ask(address: str, search: Mapping[str, Any], folder: Path) -> Answer:
    """Items that an API finds, of which only those that may have changed are asked for where that is possible.

    Args:
        address: of its landing page.
        search: parameters, as `pystac_client.Client.search` takes them.
        folder: for all that is remembered of APIs.

    Raises:
        MachineError: what it said cannot be written down.
    """
    memory = Memory(folder / short(fingerprint([_FORMAT, address, search])))
    known, at = memory.read(), datetime.now(UTC)
    if known is not None and timedelta(0) <= at - known.head.asked < (LEFT_ALONE if known.head.trouble else FRESH):
        return Answer(memory, known.items, known.head.trouble)
    empty = Head(address, search, at, None, None, False, 0, "", "")
    before = known or Known(empty, {})
    with ItemFile(memory.folder) as file:
        merge = _Merge(memory, before.items, file, at)
        try:
            head = _asked(address, search, before.head, merge, at)
        except MachineError:
            raise
        except Exception as error:
            # Clients raise their own kinds. What came is taken, what did not is not missed.
            head = replace(before.head, asked=at, trouble=f"{type(error).__name__} {error}")
    memory.write(replace(head, items=len(merge.items)), merge.items, merge.changed)
    return Answer(memory, merge.items, head.trouble)


def _asked(address: str, search: Mapping[str, Any], before: Head, merge: "_Merge", at: datetime) -> Head:
    """Asks, and gives the head of what there is then."""
    client = open_api(address)
    head = replace(before, asked=at, trouble="")
    young = head.listed is not None and timedelta(0) <= at - head.listed < WHOLE_EVERY
    if young and head.newest is not None and _changes(client, search, before, merge):
        return replace(head, newest=merge.newest)
    merge.start_anew()
    found = Found(client, search)
    for name, item in found:
        merge.take(name, item)
    merge.drop_unseen()
    counted = found.matched == len(merge.items)
    return replace(head, listed=at, newest=merge.newest if merge.dated else None, counted=counted)


def _changes(client: pystac_client.Client, search: Mapping[str, Any], head: Head, merge: "_Merge") -> bool:
    """Takes what changed; False where that cannot be told, so that only a whole listing helps."""
    assert head.newest is not None
    narrowed = updated_since(search, client, head.newest - OVERLAP)
    if narrowed is None:
        return False
    try:
        for name, item in Found(client, narrowed):
            merge.take(name, item)
    except APIError as error:
        # The condition may be what it refuses; of faults that pass the caller hears.
        if getattr(error, "status_code", None) in (400, 403, 404, 405, 422, 501):
            return False
        raise
    # The newest item is no older than the condition. Without it in the answer, it was withdrawn, or the API takes the
    # condition for another.
    if merge.newest is None or merge.newest < head.newest or not merge.dated:
        return False
    return not head.counted or Found(client, search).count() == len(merge.items)


class _Merge:
    """What is remembered with what comes."""

    def __init__(self, memory: Memory, before: Mapping[str, Kept], file: ItemFile, at: datetime) -> None:
        self.items = dict(before)
        self.changed = False
        self.seen: set[str] = set()
        self.newest: datetime | None = None
        self.dated = True
        self._memory, self._before, self._file, self._at, self._anew = memory, before, file, at, False

    def start_anew(self) -> None:
        """From here on all items come; they are written anew where they lie scattered."""
        self.seen, self.newest, self.dated = set(), None, True
        self._anew = self._memory.crowded(self._before)

    def take(self, name: str, item: Mapping[str, Any]) -> None:
        """Takes an item that came."""
        self.seen.add(name)
        updated = _updated(item)
        self.dated = self.dated and updated is not None
        # A time to come, by a clock that is wrong, would hide all that is newer than it seems.
        if updated is not None and updated <= self._at and (self.newest is None or updated > self.newest):
            self.newest = updated
        stamp, known = fingerprint(item), self.items.get(name)
        if known is not None and known.stamp == stamp and not self._anew:
            return
        sensor = sensor_of(item)
        self.items[name] = self._file.add(item, sensor.name, stamp) if sensor else Kept("", stamp, "", 0, 0)
        self.changed = True

    def drop_unseen(self) -> None:
        """Forgets what did not come: it was withdrawn."""
        gone = self.items.keys() - self.seen
        for name in gone:
            del self.items[name]
        self.changed = self.changed or bool(gone)


def _updated(item: Mapping[str, Any]) -> datetime | None:
    """When an item was last changed; None where it does not say."""
    properties = item.get("properties")
    said = properties.get("updated") if isinstance(properties, Mapping) else None
    try:
        time = datetime.fromisoformat(said)  # type: ignore[arg-type]
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
