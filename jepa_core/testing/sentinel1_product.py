"""What a simulated Sentinel-1 product is, and the names that ESA gives it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LINE_SECONDS = 1.498376640333055e-3
"""Time from line to line."""

_FIRST_ORBIT = {"S1A": 73, "S1B": 27, "S1C": 172}
"""Absolute orbit less this, modulo 175, + 1 is the relative orbit."""

_LAUNCHED = {
    "S1A": datetime(2014, 4, 3, 21, 2, tzinfo=UTC),
    "S1B": datetime(2016, 4, 25, 21, 2, tzinfo=UTC),
    "S1C": datetime(2024, 12, 5, 21, 20, tzinfo=UTC),
}


@dataclass(frozen=True)
class Sentinel1Product:
    """One slice of an IW acquisition, processed to ground range, VV and VH."""

    platform: str
    """`S1A`, `S1B` or `S1C`."""

    time: datetime
    """Of the first line, UTC."""

    lines: int
    """Rows of the image."""

    direction: str
    """`ascending` or `descending`."""

    relative_orbit: int
    """1 to 175."""

    ipf: str
    """Version of ESA's processor, e.g. `003.31`."""

    @property
    def stop(self) -> datetime:
        """Time of the last line."""
        return self.line_time(self.lines - 1)

    @property
    def absolute_orbit(self) -> int:
        """Number of the orbit since launch: the one of the right relative orbit next before the date's."""
        guess = int((self.time - _LAUNCHED[self.platform]) / timedelta(days=12) * 175)
        behind = (guess - _FIRST_ORBIT[self.platform] - (self.relative_orbit - 1)) % 175
        return guess - behind

    @property
    def datatake(self) -> int:
        """Number of the datatake since launch, of the right size."""
        return self.absolute_orbit * 8 - 4689

    def line_time(self, line: float) -> datetime:
        """When a line was seen."""
        return self.time + timedelta(seconds=line * LINE_SECONDS)

    def name(self, checksum: int) -> str:
        """Name of the folder without `.SAFE`.

        Args:
            checksum: CRC-16 of the manifest.
        """
        times = f"{_compact(self.time)}_{_compact(self.stop)}"
        numbers = f"{self.absolute_orbit:06d}_{self.datatake:06X}_{checksum:04X}"
        return f"{self.platform}_IW_GRDH_1SDV_{times}_{numbers}"

    def file(self, polarisation: str) -> str:
        """Name of the files of a polarisation, without their ending."""
        number = 1 if polarisation == "VV" else 2
        times = f"{_compact(self.time)}-{_compact(self.stop)}"
        numbers = f"{self.absolute_orbit:06d}-{self.datatake:06x}-{number:03d}"
        return f"{self.platform}-iw-grd-{polarisation}-{times}-{numbers}".lower()


def iso(time: datetime) -> str:
    """Time as annotations hold it: UTC to the microsecond, without a zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _compact(time: datetime) -> str:
    return time.strftime("%Y%m%dT%H%M%S")
