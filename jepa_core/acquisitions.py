"""What lies in an archive, held against what became of it so far: what is new, changed, gone, or not whole yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from jepa_core.archive.arrivals import arrivals
from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import Source
from jepa_core.cutting import CutConfig
from jepa_core.fingerprint import fingerprint
from jepa_core.grid import Grid
from jepa_core.ledger import Ledger
from jepa_core.patch_store import attempts_mark
from jepa_core.sensors import Sensor
from jepa_core.store import Store


def cut_settings(sensor: Sensor, config: Mapping[str, Any]) -> tuple[Sensor, CutConfig]:
    """The sensor with the bands that are wanted, and how it is cut.

    Args:
        sensor: with all its bands.
        config: settings of the patches' stage; what is missing is as by default.
    """
    grid = Grid(**{field.name: config[field.name] for field in fields(Grid) if field.name in config})
    shares = ("min_valid_fraction", "max_cloud_fraction")
    cut = CutConfig(grid, **{name: config[name] for name in shares if name in config})
    return sensor.with_bands(config.get("bands") or sensor.band_names), cut


@dataclass(frozen=True)
class Acquisitions:
    """Places of one sensor."""

    sources: tuple[Source, ...]
    """Those that an extraction looks at now."""

    waiting: dict[str, str]
    """Those that it leaves as they are, each with the reason: still being copied, or not their turn."""

    new: tuple[str, ...]
    """Of `sources`, those that no extraction has looked at."""

    changed: tuple[str, ...]
    """Of `sources`, those that have changed since, or are cut with other settings now."""

    gone: tuple[str, ...]
    """Places that an extraction has looked at and that are no longer there."""

    version: str
    """Of all this: another one means that there is something to extract."""


def look(store: Store, archive: Archive, sensor: Sensor, config: CutConfig, at_most: int | None = None) -> Acquisitions:
    """Looks at the archive; opens no scene.

    Args:
        store: the data root.
        archive: the archive.
        sensor: the sensor, with the bands that are wanted.
        config: settings of the cutting.
        at_most: new and changed places that are taken at once; the others wait. None: all of them.

    Raises:
        ArchiveError: the archive holds no place of the sensor, or a list of its own cannot be read.
    """
    sources = archive.sources(sensor)
    ledger = Ledger(store, sensor, config)
    fresh = [source for source in sources if not ledger.has_seen(source) and not ledger.looks_again(source.place)]
    # Cut with other settings than now, all would wait for their turn without anything to stand for them meanwhile.
    coming = arrivals(fresh, archive.settle_s, None if ledger.was_cut_otherwise else at_most)
    listed = {source.place for source in sources}
    # What waits counts as it was before: it is no reason to extract anything.
    marks = {source.place: ledger.mark(source) for source in sources if source.place not in coming.waiting}
    marks |= {place: ledger.known[place]["fingerprint"] for place in coming.waiting if place in ledger.known}
    # What could not be reached is tried again when its time has come: then the version changes, once.
    tried = attempts_mark(store, sensor, listed)
    return Acquisitions(
        sources=tuple(source for source in sources if source.place not in coming.waiting),
        waiting=coming.waiting,
        new=tuple(source.place for source in coming.ready if source.place not in ledger.known),
        changed=tuple(source.place for source in coming.ready if source.place in ledger.known),
        gone=tuple(place for place in ledger.known if place not in listed),
        version=fingerprint(marks) + (f"-{tried}" if tried else ""),
    )


def look_when_settled(
    store: Store,
    archive: Archive,
    sensor: Sensor,
    config: CutConfig,
    at_most: int | None,
    wait: Callable[[float], None],
    say: Callable[[str], None],
) -> Acquisitions:
    """Looks at the archive, and again after `archive.settle_s` where places have changed a moment ago.

    Args:
        store: see `look`, as the next four.
        archive: the archive.
        sensor: the sensor.
        config: settings.
        at_most: new places at once.
        wait: sleeps so many seconds.
        say: is told what is waited for, and what is left for another time.
    """
    found = look(store, archive, sensor, config, at_most)
    if found.waiting and archive.settle_s and not _is_turn(found):
        say(f"{_first(found)}; looking again in {archive.settle_s:.0f} s")
        wait(archive.settle_s)
        found = look(store, archive, sensor, config, at_most)
    if found.waiting:
        say(f"left for the next run: {_first(found)}")
    return found


def _is_turn(found: Acquisitions) -> bool:
    """Whether enough is there already, so that nothing need be waited for."""
    return any("its turn" in why for why in found.waiting.values())


def _first(found: Acquisitions) -> str:
    place, why = next(iter(found.waiting.items()))
    more = f", and {len(found.waiting) - 1} more places" if len(found.waiting) > 1 else ""
    return f"{place}: {why}{more}"
