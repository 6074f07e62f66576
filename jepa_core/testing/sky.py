"""Clouds over the world, as classes of the scene classification."""

import numpy as np
import numpy.typing as npt

from jepa_core.testing.noise import Floats, SmoothNoise

SHADOW, MEDIUM, HIGH, CIRRUS = 3, 8, 9, 10
"""SCL: cloud shadow; cloud of medium and of high probability; thin cirrus."""

_CLOUD_M = 500.0
"""Lattice step of clouds."""

_SHADOW_M = 250.0
"""How far west and north of its cloud a shadow lies: the sun stands in the south-east before noon."""


class Sky:
    """The clouds of one date."""

    def __init__(self, world_seed: int, sky_seed: int, clouds: float) -> None:
        """Draws the sky.

        Args:
            world_seed: of the world under it.
            sky_seed: of the date.
            clouds: share of the world under clouds, more than 0 and up to 1.
        """
        rng = np.random.default_rng([world_seed, sky_seed])
        self._field = SmoothNoise(rng, _CLOUD_M, channels=2)
        side = np.arange(400) * 170.0
        sample = self._field(*np.meshgrid(side, side))[..., 0]
        self._edge, self._core = np.quantile(sample, [1 - clouds, 1 - clouds / 2])

    def cover(self, clear: npt.NDArray[np.uint8], x: Floats, y: Floats) -> npt.NDArray[np.uint8]:
        """Classes as seen through the sky.

        Args:
            clear: classes without clouds, any shape.
            x: easting in the world's zone, metres.
            y: northing, metres.
        """
        field = self._field(x, y)
        cloud = field[..., 0] >= self._edge
        shadow = self._field(x + _SHADOW_M, y - _SHADOW_M)[..., 0] >= self._edge
        kind = np.where(field[..., 0] >= self._core, HIGH, np.where(field[..., 1] > 0.3, CIRRUS, MEDIUM))
        return np.where(cloud, kind, np.where(shadow, SHADOW, clear)).astype(np.uint8)
