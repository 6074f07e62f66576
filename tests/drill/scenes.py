"""Scenes to change an archive with: simulated once, then copied in, out, and over each other."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.world import World

FIRST = datetime(2021, 6, 1, 10, tzinfo=UTC)
PLACE = {"left": 399_600, "top": 5_400_000, "size_m": 2_400}


@dataclass(frozen=True)
class Pristine:
    """A scene as it should be."""

    name: str
    """Name of its folder in the archive."""

    folder: Path
    """Where it lies whole, outside the archive."""

    date: int
    """Number of its date; the scenes of one date pair."""

    sensor: str
    """`s1` or `s2`."""


def simulate(root: Path, dates: int) -> list[Pristine]:
    """Writes, for each date, a radar scene, and an optical one in two processings."""
    found = []
    for date in range(dates):
        time = FIRST + timedelta(days=5 * date)
        world = World(date)
        s1 = write_sentinel1_rtc(root / f"s1-{date}", world, time=time, **PLACE)
        found.append(Pristine(_top(root / f"s1-{date}", s1).name, _top(root / f"s1-{date}", s1), date, "s1"))
        for baseline, hours in (("05.09", 6), ("05.10", 400)):
            s2 = write_sentinel2_safe(
                root / f"s2-{date}-{hours}",
                world,
                time=time,
                baseline=baseline,
                processed=time + timedelta(hours=hours),
                copies=False,
                **PLACE,
            )
            found.append(Pristine(s2.name, s2, date, "s2"))
    return found


def _top(root: Path, inside: Path) -> Path:
    return root / inside.relative_to(root).parts[0]


def remove(place: Path) -> None:
    """Removes a scene whatever its modes are."""
    for path in [place, *place.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(place)
