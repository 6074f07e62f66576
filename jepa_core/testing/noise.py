"""Smooth random fields: the same value at one place, whoever asks."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class SmoothNoise:
    """Random values on a lattice, blended in between: twice differentiable, in -1..1.

    A field repeats after `cells` lattice steps.
    """

    def __init__(self, rng: np.random.Generator, scale_m: float, channels: int = 1, cells: int = 499) -> None:
        """Draws the lattice.

        Args:
            rng: drawn from once, here.
            scale_m: lattice step, metres; hills are about twice as wide.
            channels: independent fields that are looked up together.
            cells: lattice points a side before the field repeats.
        """
        self._scale_m = scale_m
        self._cells = cells
        self._table = rng.uniform(-1.0, 1.0, (cells * cells, channels))

    def __call__(self, x: Floats, y: Floats) -> Floats:
        """Values at places in metres.

        Args:
            x: easting, any shape.
            y: northing, of the same shape.

        Returns:
            Array of shape `(*x.shape, channels)`.
        """
        column, across = self._lattice(x)
        row, up = self._lattice(y)
        next_column, next_row = (column + 1) % self._cells, (row + 1) % self._cells
        south = self._row(row, column, next_column, across)
        north = self._row(next_row, column, next_column, across)
        return south + (north - south) * up[..., None]

    def _lattice(self, coordinate: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
        steps = np.asarray(coordinate, dtype=np.float64) / self._scale_m
        whole = np.floor(steps)
        part = steps - whole
        blend = part**3 * (part * (part * 6 - 15) + 10)
        return whole.astype(np.int64) % self._cells, blend

    def _row(
        self, row: npt.NDArray[np.int64], left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], across: Floats
    ) -> Floats:
        west = self._table[row * self._cells + left]
        east = self._table[row * self._cells + right]
        value: Floats = west + (east - west) * across[..., None]
        return value
