"""Where in a radar image a pixel of the map lies: the geolocation grid, turned around.

Between grid points the place on the map is bilinear in (line, sample). The points lie on the terrain, whose height
moves them by up to 1.7 times itself, and heights 13 km apart know little of one another: on a real product of the
Alps, with every second point left out, bilinear interpolation misses by 352 m in the median and cubic splines, which
overshoot, by 401 m. Without the part that heights have in it these are 15 m and 14 m: curves are not the trouble.
"""

import numpy as np
from rasterio._err import CPLE_BaseError
from rasterio.warp import transform

from jepa_core.archive.scene import ArchiveError
from jepa_core.grid import Frame
from jepa_core.radar.annotation import GeolocationGrid
from jepa_core.radar.lattice import LATTICE_PIXELS, StripPlaces

_STEPS = 40
"""Newton's steps at most; five do, unless a step crosses into the next cell of a rough grid."""

_MARGIN_PIXELS = 100
"""Pixels that are farther outside the image than this, and twice what a plane is wrong by, are not solved for."""

_CLOSE_ENOUGH_M = 0.01
"""Distance at which a place counts as found: a thousandth of a pixel."""


class Geocoder:
    """Places in one image of the pixels of one frame."""

    def __init__(self, grid: GeolocationGrid, frame: Frame, name: str) -> None:
        """Brings the grid's points to the frame's zone.

        Args:
            grid: of the image.
            frame: pixels to find.
            name: of the image, for messages.

        Raises:
            ArchiveError: the image lies where the frame's zone has no coordinates.
        """
        self._frame = frame
        self._lines, self._samples = grid.line[:, 0], grid.pixel[0]
        longitudes, latitudes = grid.longitude.ravel().tolist(), grid.latitude.ravel().tolist()
        try:
            x, y = transform("EPSG:4326", f"EPSG:{frame.epsg}", longitudes, latitudes)
        except CPLE_BaseError as error:
            raise ArchiveError(f"{name} cannot be placed in zone EPSG:{frame.epsg}: {error}") from error
        self._xy = np.array([x, y]).reshape(2, *grid.line.shape)
        if not np.isfinite(self._xy).all():
            raise ArchiveError(f"{name} cannot be placed in zone EPSG:{frame.epsg}")
        # A plane through all points: where the search starts, and which pixels are not worth one.
        known = self._xy.reshape(2, -1)
        self._middle = known.mean(axis=1, keepdims=True)
        wanted = np.stack([grid.line.ravel(), grid.pixel.ravel()], axis=1)
        terms = np.vstack([np.ones(grid.line.size), known - self._middle]).T
        self._plane = np.linalg.lstsq(terms, wanted, rcond=None)[0]
        self._margin = 2 * np.abs(terms @ self._plane - wanted).max() + _MARGIN_PIXELS

    def on_map(self, line: np.ndarray, sample: np.ndarray) -> np.ndarray:
        """The forward model: easting and northing of places in the image; beyond the grid, its rim goes on.

        Args:
            line: any shape.
            sample: of the same shape.

        Returns:
            (2, ...), metres.
        """
        return self._model(line, sample)[0]

    def strip(self, first_row: int, rows: int) -> StripPlaces:
        """Solves for a lattice of pixels over rows of the frame, their full width."""
        frame, step = self._frame, LATTICE_PIXELS
        at_rows = np.arange(0, rows + step - 1, step)
        at_columns = np.arange(0, frame.width + step - 1, step)
        x, y = self.centres(at_rows[:, None] + first_row, at_columns[None, :])
        target = np.stack([x, y])
        places = self._roughly(target)
        near = self._near(places)
        places[:, near] = self.solve(target[:, near], places[:, near])
        lost = np.isnan(places).any(axis=0)
        places[:, lost] = self._roughly(target[:, lost])
        cells = self.cells(places)
        cells[lost] = -1 - np.arange(lost.sum())
        return StripPlaces(self, first_row, places, cells)

    def centres(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Easting and northing of pixels' centres, metres; row and column are broadcast."""
        frame = self._frame
        x = frame.left + (column + 0.5) * frame.resolution_m
        y = frame.top - (row + 0.5) * frame.resolution_m
        x, y = np.broadcast_arrays(x, y)
        return x, y

    def solve(self, xy: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Line and sample of points of the map, by Newton's method.

        Args:
            xy: (2, ...) easting and northing, metres.
            start: (2, ...) line and sample where the search starts.

        Returns:
            (2, ...) line and sample; NaN where no place was found. Beyond the grid they are extrapolated.
        """
        shape = xy.shape[1:]
        target = xy.reshape(2, -1)
        place = start.reshape(2, -1).copy()
        left = np.arange(target.shape[1])
        with np.errstate(all="ignore"):
            for count in range(_STEPS):
                found, along_line, along_sample = self._model(*place[:, left])
                miss = target[:, left] - found
                far = ~(np.hypot(*miss) < _CLOSE_ENOUGH_M)
                left = left[far]
                if not len(left):
                    break
                (a, c), (b, d), (u, v) = along_line[:, far], along_sample[:, far], miss[:, far]
                # A full step may swing to and fro over a crease between cells for ever; half of it settles.
                size = (1.0 if count < _STEPS // 2 else 0.5) / (a * d - b * c)
                place[0, left] += (d * u - b * v) * size
                place[1, left] += (a * v - c * u) * size
        place[:, left] = np.nan
        return np.asarray(place.reshape(2, *shape))

    def _roughly(self, xy: np.ndarray) -> np.ndarray:
        """Line and sample (2, ...) of points of the map, as a plane has them."""
        shifted = xy.reshape(2, -1) - self._middle
        return np.asarray((self._plane[:1].T + self._plane[1:].T @ shifted).reshape(xy.shape))

    def _near(self, places: np.ndarray) -> np.ndarray:
        """Whether rough places (2, ...) may lie in the image."""
        ends = (self._lines, self._samples)
        close = [(p > e[0] - self._margin) & (p < e[-1] + self._margin) for p, e in zip(places, ends, strict=True)]
        return np.asarray(close[0] & close[1])

    def cells(self, places: np.ndarray) -> np.ndarray:
        """Number of the grid's cell that each place (2, ...) lies in."""
        i, j = self._cell(places[0], places[1])
        return np.asarray(i * len(self._samples) + j)

    def _cell(self, line: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        i = np.clip(np.searchsorted(self._lines, line, side="right") - 1, 0, len(self._lines) - 2)
        j = np.clip(np.searchsorted(self._samples, sample, side="right") - 1, 0, len(self._samples) - 2)
        return i, j

    def _model(self, line: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places on the map, and how they change per line and per sample; each (2, ...)."""
        i, j = self._cell(line, sample)
        height = self._lines[i + 1] - self._lines[i]
        width = self._samples[j + 1] - self._samples[j]
        t, s = (line - self._lines[i]) / height, (sample - self._samples[j]) / width
        p00, p01 = self._xy[:, i, j], self._xy[:, i, j + 1]
        p10, p11 = self._xy[:, i + 1, j], self._xy[:, i + 1, j + 1]
        above, below = p00 + s * (p01 - p00), p10 + s * (p11 - p10)
        along_sample = ((p01 - p00) * (1 - t) + (p11 - p10) * t) / width
        return above + t * (below - above), (below - above) / height, along_sample
