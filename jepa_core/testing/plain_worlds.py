"""Worlds that are easy to read: ramps that say where one is, and one value everywhere."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jepa_core.testing.land_cover import BANDS, POLARISATIONS
from jepa_core.testing.noise import Floats
from jepa_core.testing.place import LONLAT, to_epsg
from jepa_core.testing.world import Ground, World

NORTHWARD = frozenset({"B03", "B08", "B06", "B8A", "B12", "B09", "VH"})
"""Bands and polarisations of a `RampWorld` that rise with the northing; the others rise with the easting."""

_REFLECTANCE = (0.05, 0.75)
_SIGMA0 = (0.01, 0.5)


@dataclass(frozen=True)
class RampGround:
    """Ground whose values are linear in the metres of the base zone."""

    across: Floats
    """Part of the way from the west to the east end, 0..1."""

    up: Floats
    """Part of the way from the south to the north end, 0..1."""

    def reflectance(self, band: str) -> Floats:
        """See `Ground`."""
        return self._ramp(band, BANDS, _REFLECTANCE)

    def sigma0(self, polarisation: str) -> Floats:
        """See `Ground`."""
        return self._ramp(polarisation, POLARISATIONS, _SIGMA0)

    def scene_class(self) -> npt.NDArray[np.uint8]:
        """Not vegetated."""
        return np.full(self.across.shape, 5, dtype=np.uint8)

    def _ramp(self, name: str, known: tuple[str, ...], ends: tuple[float, float]) -> Floats:
        if name not in known:
            raise ValueError(f"{name!r} is none of {', '.join(known)}")
        part = self.up if name in NORTHWARD else self.across
        value: Floats = ends[0] + (ends[1] - ends[0]) * part
        return value


class RampWorld(World):
    """A world whose values are linear in metres, so that an error of place can be read off a value.

    Linear within `extent_m` of the origin; flat beyond.
    """

    def __init__(self, west: float, south: float, extent_m: float = 20_000.0, base_epsg: int = 32633) -> None:
        """Places the ramps.

        Args:
            west: easting where ramps begin, metres of the base zone.
            south: northing where ramps begin.
            extent_m: their length.
            base_epsg: EPSG code of the base zone.
        """
        super().__init__(0, base_epsg)
        self._west, self._south, self._extent_m = west, south, extent_m

    def ground(self, x: Floats, y: Floats, epsg: int = LONLAT) -> Ground:
        """See `World.ground`."""
        east, north = to_epsg(x, y, epsg, self.base_epsg)
        across, up = (east - self._west) / self._extent_m, (north - self._south) / self._extent_m
        return RampGround(np.clip(across, 0, 1), np.clip(up, 0, 1))

    def coordinate(self, name: str, value: Floats) -> Floats:
        """Where a value lies: the easting or (names in `NORTHWARD`) the northing, metres of the base zone.

        Args:
            name: of a band or a polarisation.
            value: reflectance, or linear power.
        """
        low, high = _SIGMA0 if name in POLARISATIONS else _REFLECTANCE
        start = self._south if name in NORTHWARD else self._west
        place: Floats = start + (np.asarray(value) - low) / (high - low) * self._extent_m
        return place


@dataclass(frozen=True)
class FlatGround:
    """Ground of one value for each band and polarisation."""

    shape: tuple[int, ...]
    """Of the places."""

    values: dict[str, float]
    """By band and polarisation."""

    def reflectance(self, band: str) -> Floats:
        """See `Ground`."""
        return np.full(self.shape, self.values[band])

    def sigma0(self, polarisation: str) -> Floats:
        """See `Ground`."""
        return np.full(self.shape, self.values[polarisation])

    def scene_class(self) -> npt.NDArray[np.uint8]:
        """Vegetation."""
        return np.full(self.shape, 4, dtype=np.uint8)


class ConstantWorld(World):
    """A world of one value for each band: reflectance 0.05, 0.06, ... in ESA's order of bands; VV -10 dB, VH -17 dB."""

    def __init__(self, values: dict[str, float] | None = None, base_epsg: int = 32633) -> None:
        """Sets the values.

        Args:
            values: reflectance or linear power by band or polarisation, in place of the usual ones.
            base_epsg: EPSG code of the base zone.
        """
        super().__init__(0, base_epsg)
        usual = {band: 0.05 + 0.01 * i for i, band in enumerate(BANDS)} | {"VV": 10**-1.0, "VH": 10**-1.7}
        self.values = usual | (values or {})

    def ground(self, x: Floats, y: Floats, epsg: int = LONLAT) -> Ground:
        """See `World.ground`."""
        return FlatGround(np.broadcast(x, y).shape, self.values)
