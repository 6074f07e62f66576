"""Orbits as metadata write them."""

from jepa_core.archive.scene import ArchiveError

_PASSES = ("ascending", "descending")
_MOST_ORBITS = 175
"""In a cycle: of Sentinel-1; Sentinel-2 has 143."""


def parse_pass(text: str, name: str) -> str:
    """`ascending` or `descending`, however it is spelt.

    Raises:
        ArchiveError: it is neither.
    """
    if text.lower() not in _PASSES:
        raise ArchiveError(f"{name}: the orbit is {text[:40]!r}, neither ascending nor descending")
    return text.lower()


def parse_relative_orbit(number: float, name: str) -> int:
    """Number of an orbit in its cycle.

    Raises:
        ArchiveError: no cycle has such an orbit.
    """
    if number != number // 1 or not 1 <= number <= _MOST_ORBITS:
        raise ArchiveError(f"{name}: {number:g} is no relative orbit; they go from 1 to {_MOST_ORBITS}")
    return int(number)
