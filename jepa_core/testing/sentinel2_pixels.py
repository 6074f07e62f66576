"""Digital numbers of simulated Sentinel-2 images: point samples of the world at pixel centres."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jepa_core.testing.land_cover import BANDS
from jepa_core.testing.noise import Floats
from jepa_core.testing.place import PixelGrid
from jepa_core.testing.world import World

NATIVE_M = dict(zip(BANDS, (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20), strict=True))
"""Pixel of each band, metres."""

_ROWS = 128
"""Rows at once: bounds memory."""


@dataclass(frozen=True)
class SwathEdge:
    """The slanting west edge of what was measured; west of it DN are 0."""

    start_m: float
    """Where it meets the top of the tile, metres from the left."""

    slope: float = 0.25
    """How far it moves to the west for each metre to the south (negative: to the east)."""

    step_m: float = 20.0
    """How much farther east it lies in each next band (four steps, then anew), as bands see from different angles."""

    def measured(self, band: str, east: Floats, south: Floats) -> npt.NDArray[np.bool_]:
        """Whether a band was measured.

        Args:
            band: its name; the classification goes with `B02`.
            east: metres from the tile's left edge.
            south: metres from its top.
        """
        late = self.step_m * (BANDS.index(band) % 4)
        inside: npt.NDArray[np.bool_] = east >= self.start_m - self.slope * south + late
        return inside


@dataclass(frozen=True)
class Sight:
    """What else than the ground decides what a pixel holds."""

    offset_dn: int
    """Added to reflectance x 10,000."""

    edge: SwathEdge | None = None
    """None: all was measured."""

    clouds: float = 0.0
    """Share of the world under clouds, in the classification."""

    sky: int = 0
    """Seed of the clouds."""


def digital_numbers(reflectance: Floats, offset_dn: int) -> npt.NDArray[np.uint16]:
    """Reflectance x 10,000 plus the offset, rounded; at least 1, for 0 marks a missing measurement."""
    numbers: npt.NDArray[np.uint16] = np.clip(np.rint(reflectance * 10_000) + offset_dn, 1, 32_767).astype(np.uint16)
    return numbers


def images(world: World, grid: PixelGrid, bands: tuple[str, ...], sight: Sight) -> dict[str, npt.NDArray[np.uint16]]:
    """Images of several bands on one raster, by band; each `(height, width)`."""
    out = {band: np.zeros((grid.height, grid.width), dtype=np.uint16) for band in bands}
    for row in range(0, grid.height, _ROWS):
        x, y = grid.centres(row, _ROWS)
        ground = world.ground(x, y, grid.epsg)
        for band in bands:
            numbers = digital_numbers(ground.reflectance(band), sight.offset_dn)
            if sight.edge is not None:
                numbers[~sight.edge.measured(band, x - grid.left, grid.top - y)] = 0
            out[band][row : row + _ROWS] = numbers
    return out


def classification(world: World, grid: PixelGrid, sight: Sight) -> npt.NDArray[np.uint8]:
    """Scene classification on a raster, `(height, width)`; 0 where nothing was measured."""
    x, y = grid.centres()
    classes = world.scl(x, y, grid.epsg, clouds=sight.clouds, sky=sight.sky)
    if sight.edge is not None:
        classes = np.where(sight.edge.measured("B02", x - grid.left, grid.top - y), classes, 0)
    return classes.astype(np.uint8)
