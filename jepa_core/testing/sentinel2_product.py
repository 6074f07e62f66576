"""What a simulated Sentinel-2 product is, and the names that ESA gives it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jepa_core.testing.land_cover import BANDS

_STRIP_AFTER = timedelta(seconds=359)
_TILE_AFTER = timedelta(seconds=446.2222)
"""From the start of the datatake to that of the datastrip, and to the tile."""

_ORBIT_SHIFT = {"S2A": 2, "S2B": -27, "S2C": -1}
"""Absolute orbit + shift, modulo 143, + 1 is the relative orbit. S2C's is a guess."""


@dataclass(frozen=True)
class Sentinel2Product:
    """One tile of one datatake, processed once."""

    tile: str
    """MGRS tile without its `T`, e.g. `33TWM`."""

    epsg: int
    """EPSG code of its UTM zone."""

    left: float
    """West edge, metres."""

    top: float
    """North edge, metres."""

    size_m: float
    """Side, metres: 109,800 of real tiles, any multiple of 60 here."""

    time: datetime
    """Start of the datatake, UTC: the time in the product's name."""

    level: str
    """`L1C` or `L2A`."""

    baseline: str
    """Processing baseline, e.g. `05.09`."""

    relative_orbit: int
    """1 to 143."""

    platform: str
    """`S2A`, `S2B` or `S2C`."""

    processed: datetime
    """When it was processed: the last part of the name."""

    @property
    def offset_dn(self) -> int:
        """What is added to reflectance x 10,000: 1000 since baseline 04.00."""
        return 1000 if float(self.baseline) >= 4 else 0

    @property
    def bands(self) -> tuple[str, ...]:
        """Level-2A has no cirrus band."""
        return tuple(band for band in BANDS if band != "B10" or self.level == "L1C")

    @property
    def strip_time(self) -> datetime:
        """Start of the datastrip."""
        return self.time + _STRIP_AFTER

    @property
    def tile_time(self) -> datetime:
        """When the tile was seen: `SENSING_TIME`, and `datetime` of catalogues."""
        return self.time + _TILE_AFTER

    @property
    def absolute_orbit(self) -> int:
        """Number of the orbit since launch: the one of the right relative orbit nearest to the date."""
        launched = datetime(2015, 6, 23, 2, tzinfo=UTC)
        guess = int((self.time - launched) / timedelta(days=10) * 143)
        shift = _ORBIT_SHIFT[self.platform]
        behind = (guess + shift - (self.relative_orbit - 1)) % 143
        return guess - behind

    @property
    def name(self) -> str:
        """Without `.SAFE`."""
        digits = self.baseline.replace(".", "")
        orbit, tile = f"R{self.relative_orbit:03d}", f"T{self.tile}"
        return (
            f"{self.platform}_MSI{self.level}_{compact(self.time)}_N{digits}_{orbit}_{tile}_{compact(self.processed)}"
        )

    @property
    def granule(self) -> str:
        """Folder under `GRANULE/`."""
        return f"{self.level}_T{self.tile}_A{self.absolute_orbit:06d}_{compact(self.strip_time)}"

    @property
    def datastrip(self) -> str:
        """Folder under `DATASTRIP/`."""
        return f"DS_2APS_{compact(self.processed)}_S{compact(self.strip_time)}"

    @property
    def datatake_id(self) -> str:
        """Identifier of the datatake, the same for all processings but for its baseline."""
        return f"G{self.platform}_{compact(self.time)}_{self.absolute_orbit:06d}_N{self.baseline}"

    @property
    def datastrip_id(self) -> str:
        """Identifier of the datastrip."""
        strip = f"{compact(self.processed)}_S{compact(self.strip_time)}_N{self.baseline}"
        return f"{self.platform}_OPER_MSI_{self.level}_DS_2APS_{strip}"

    @property
    def tile_id(self) -> str:
        """Identifier of the granule."""
        end = f"{compact(self.processed)}_A{self.absolute_orbit:06d}_T{self.tile}_N{self.baseline}"
        return f"{self.platform}_OPER_MSI_{self.level}_TL_2APS_{end}"

    def image(self, band: str, resolution_m: int) -> str:
        """Path of an image inside the product, without its ending."""
        name = f"T{self.tile}_{compact(self.time)}_{band}"
        folder = f"GRANULE/{self.granule}/IMG_DATA"
        return f"{folder}/{name}" if self.level == "L1C" else f"{folder}/R{resolution_m}m/{name}_{resolution_m}m"


def compact(time: datetime) -> str:
    """Time as names hold it: `20230815T095031`."""
    return time.strftime("%Y%m%dT%H%M%S")


def iso(time: datetime) -> str:
    """Time as metadata hold it, to the millisecond: `2023-08-15T09:50:31.024Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
