"""Places of many pixels of the map from those of a few: solved on a lattice, interpolated between."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jepa_core.radar.geocoding import Geocoder

LATTICE_PIXELS = 16
"""From one pixel whose place is solved for to the next."""


class StripPlaces:
    """Places of the pixels of some rows, from those of a lattice."""

    def __init__(self, geocoder: "Geocoder", first_row: int, places: np.ndarray, cells: np.ndarray) -> None:
        """Takes the solved lattice.

        Args:
            geocoder: that solved it.
            first_row: of the frame.
            places: (2, lattice rows, lattice columns) line and sample.
            cells: (lattice rows, lattice columns) cell of the grid that each lies in; a number of its own below 0
                where it was not found.
        """
        self._geocoder, self._first_row, self._places = geocoder, first_row, places
        corners = cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]
        # A pixel between places of different cells lies near a crease of the model, which linear steps cut off.
        self._creased = np.logical_or.reduce([corner != corners[0] for corner in corners[1:]])

    def block(self, first_column: int, rows: int, columns: int) -> np.ndarray:
        """Line and sample of the strip's first rows, in some columns.

        Args:
            first_column: a multiple of 16, the lattice's step.
            rows: not more than the strip has.
            columns: within the frame.

        Returns:
            (2, rows, columns), float64; NaN where no place was found.
        """
        step = LATTICE_PIXELS
        top, left = slice(0, -(-(rows - 1) // step) + 1), first_column // step
        across = slice(left, left + -(-(columns - 1) // step) + 1)
        lattice = self._places[:, top, across]
        places = np.asarray(_between(rows, lattice.shape[1]) @ lattice @ _between(columns, lattice.shape[2]).T)
        creased = self._creased[top, across]
        if creased.any():
            row, column = np.arange(rows) // step, np.arange(columns) // step
            creased = np.pad(creased, ((0, 1), (0, 1)))[: lattice.shape[1], : lattice.shape[2]]
            r, c = np.nonzero(creased[row][:, column])
            x, y = self._geocoder.centres(r + self._first_row, c + first_column)
            places[:, r, c] = self._geocoder.solve(np.stack([x, y]), places[:, r, c])
        return places


def _between(pixels: int, nodes: int) -> np.ndarray:
    """(pixels, nodes) weights that interpolate linearly from each 16th pixel to all."""
    at = np.arange(pixels) / LATTICE_PIXELS
    below = np.minimum(at.astype(int), max(nodes - 2, 0))
    weights = np.zeros((pixels, nodes))
    weights[np.arange(pixels), below] = 1 - (at - below)
    weights[np.arange(pixels), np.minimum(below + 1, nodes - 1)] += at - below
    return weights
