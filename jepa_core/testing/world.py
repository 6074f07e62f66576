"""The ground that every simulated sensor looks at: a function of place alone."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jepa_core.testing import land_cover
from jepa_core.testing.noise import Floats, SmoothNoise
from jepa_core.testing.place import LONLAT, to_epsg
from jepa_core.testing.sky import Sky

_FIELD_M = 220.0
"""Lattice step of land cover: patches of 100 to 500 m."""

_EDGE_STEEPNESS = 16.0
"""Of the blend between classes; their edges are about 30 m wide."""

_TEXTURE_M = 130.0
"""Lattice step of brightness within a class."""

_COMMONNESS = np.array([-0.15, 0.1, 0.15, -0.25, -0.1])
"""Added to the field of each class: how much of the ground it takes."""


class Ground(Protocol):
    """The ground at some places, looked up once for all bands; arrays have the shape of the places."""

    def reflectance(self, band: str) -> Floats:
        """Reflectance of a Sentinel-2 band, 0.0001..0.8."""
        ...

    def sigma0(self, polarisation: str) -> Floats:
        """Backscatter without speckle, linear power."""
        ...

    def scene_class(self) -> npt.NDArray[np.uint8]:
        """SCL class under a clear sky."""
        ...


@dataclass(frozen=True)
class MixedGround:
    """Ground made of classes."""

    fractions: Floats
    """Share of each class, `(*shape, 5)`, summing to 1."""

    texture: Floats
    """Two fields in -1..1, `(*shape, 2)`: what both sensors see, and what the radar alone sees."""

    def reflectance(self, band: str) -> Floats:
        """See `Ground`."""
        spectrum = land_cover.REFLECTANCE[:, land_cover.BANDS.index(band)]
        value = (self.fractions @ spectrum) * (1 + 0.25 * self.texture[..., 0])
        clipped: Floats = np.clip(value, 0.0001, 0.8)
        return clipped

    def sigma0(self, polarisation: str) -> Floats:
        """See `Ground`."""
        power = land_cover.SIGMA0[:, land_cover.POLARISATIONS.index(polarisation)]
        value: Floats = (self.fractions @ power) * (1 + 0.2 * self.texture[..., 0] + 0.2 * self.texture[..., 1])
        return value

    def scene_class(self) -> npt.NDArray[np.uint8]:
        """See `Ground`."""
        classes: npt.NDArray[np.uint8] = land_cover.SCENE_CLASS[np.argmax(self.fractions, axis=-1)]
        return classes


class World:
    """Fields, forest, water, towns and bare soil, the same for each seed.

    Values are defined in the metres of one UTM zone; places in other coordinates are brought there exactly. Far
    from that zone (more than some 15 degrees of longitude) its coordinates stop making sense.
    """

    def __init__(self, seed: int, base_epsg: int = 32633) -> None:
        """Draws the world.

        Args:
            seed: of all its fields.
            base_epsg: EPSG code of the UTM zone that it is defined in.
        """
        rng = np.random.default_rng(seed)
        self.base_epsg = base_epsg
        self._cover = SmoothNoise(rng, _FIELD_M, channels=len(land_cover.CLASSES))
        self._texture = SmoothNoise(rng, _TEXTURE_M, channels=2, cells=509)
        self._seed = seed

    def ground(self, x: Floats, y: Floats, epsg: int = LONLAT) -> Ground:
        """The ground at some places, for several bands at once.

        Args:
            x: easting or longitude, any shape.
            y: northing or latitude, of the same shape.
            epsg: code of the reference system that they are in.
        """
        east, north = to_epsg(x, y, epsg, self.base_epsg)
        scores = _EDGE_STEEPNESS * (self._cover(east, north) + _COMMONNESS)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        return MixedGround(scores, self._texture(east, north))

    def reflectance(self, band: str, x: Floats, y: Floats, epsg: int = LONLAT) -> Floats:
        """Reflectance of a Sentinel-2 band (`B01` to `B12`, `B8A`), 0.0001..0.8; see `ground` for places."""
        return self.ground(x, y, epsg).reflectance(band)

    def sigma0(self, polarisation: str, x: Floats, y: Floats, epsg: int = LONLAT) -> Floats:
        """Backscatter (`VV` or `VH`) without speckle, linear power; see `ground` for places."""
        return self.ground(x, y, epsg).sigma0(polarisation)

    def scl(
        self, x: Floats, y: Floats, epsg: int = LONLAT, *, clouds: float = 0.0, sky: int = 0
    ) -> npt.NDArray[np.uint8]:
        """Scene classification (SCL); see `ground` for places.

        Clouds are a matter of the classification alone: reflectance stays that of the ground.

        Args:
            x: easting or longitude.
            y: northing or latitude.
            epsg: code of the reference system that they are in.
            clouds: share of the world under clouds (classes 8, 9, 10); a small scene may have more or less.
            sky: seed of the clouds, another one for each date.
        """
        east, north = to_epsg(x, y, epsg, self.base_epsg)
        clear = self.ground(east, north, self.base_epsg).scene_class()
        # Drawing a sky takes longer than all else of a small scene.
        return Sky(self._seed, sky, clouds).cover(clear, east, north) if clouds > 0 else clear
