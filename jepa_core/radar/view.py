"""A radar image on the pixels of a map: read, calibrated, denoised and interpolated block by block."""

import numpy as np
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from jepa_core.archive.scene import ArchiveError
from jepa_core.grid import Frame
from jepa_core.radar.annotation import Annotation
from jepa_core.radar.borders import Borders
from jepa_core.radar.calibration import Noise
from jepa_core.radar.geocoding import Geocoder
from jepa_core.radar.lookup import LookupTable

FLOOR_DB = -50.0
"""Sigma nought of a pixel that was measured at or below its noise. Weaker than anything Sentinel-1 can tell from
noise (which lies at -22 dB or above), so that order is kept; finite, as the pixel is dark, not missing."""

_FLOOR = np.float32(10 ** (FLOOR_DB / 10))

_ROWS = 128
"""Rows of a block at most."""

_COLUMNS = 256
"""Columns of a block: the image lies askew, and what a block needs of it grows with the square of its width."""


_LARGEST_WINDOW = 4_000_000
"""Pixels of the image read at once; a block that needs more, where a grid is torn, is done in parts."""


class BandView:
    """One open image, seen on the pixels of a frame."""

    def __init__(
        self,
        file: DatasetReader,
        address: str,
        annotation: Annotation,
        sigma_nought: LookupTable,
        noise: Noise | None,
        frame: Frame,
    ) -> None:
        """Takes an open file of the right size.

        Args:
            file: amplitudes.
            address: of the file, for messages.
            annotation: of the image.
            sigma_nought: its calibration.
            noise: to subtract; None: nothing is.
            frame: pixels to bring it to.
        """
        self._file, self._address, self._frame = file, address, frame
        self._sigma_nought, self._noise = sigma_nought, noise
        self._lines, self._samples = annotation.lines, annotation.samples
        self._geocoder = Geocoder(annotation.grid, frame, address)
        noise_of = None if noise is None else noise.block
        # Where the processor removed noise it also cleaned the edges, and low values are water.
        self._borders = (
            None if annotation.noise_removed else Borders(self._lines, self._samples, self._amplitudes, noise_of)
        )

    def read(self, first_row: int, rows: int) -> np.ndarray:
        """A strip of the frame.

        Args:
            first_row: of the frame.
            rows: as many as are wanted.

        Returns:
            (rows, frame.width) sigma nought, dB, float32; NaN where the image holds no measurement.

        Raises:
            ArchiveError: the file cannot be read there.
        """
        strip = np.full((rows, self._frame.width), np.nan, dtype=np.float32)
        for top in range(0, rows, _ROWS):
            height = min(_ROWS, rows - top)
            places = self._geocoder.strip(first_row + top, height)
            for left in range(0, self._frame.width, _COLUMNS):
                width = min(_COLUMNS, self._frame.width - left)
                where = places.block(left, height, width)
                strip[top : top + height, left : left + width] = self._sampled(where[0], where[1])
        return strip

    def _sampled(self, line: np.ndarray, sample: np.ndarray) -> np.ndarray | float:
        """Sigma nought in dB at places of the image, of their shape."""
        # A pixel reaches half its size beyond its centre.
        inside = (line >= -0.5) & (line <= self._lines - 0.5) & (sample >= -0.5) & (sample <= self._samples - 0.5)
        if not inside.any():
            return np.nan
        whole = bool(inside.all())
        if not whole:
            line, sample = np.where(inside, line, line[inside][0]), np.where(inside, sample, sample[inside][0])
        line, sample = np.clip(line, 0, self._lines - 1), np.clip(sample, 0, self._samples - 1)
        decibels = np.float32(10) * np.log10(np.maximum(self._interpolated(line, sample), _FLOOR))
        # On some processors the logarithm of the floor is a little less.
        decibels = np.maximum(decibels, np.float32(FLOOR_DB))
        return decibels if whole else np.where(inside, decibels, np.float32(np.nan))

    def _interpolated(self, line: np.ndarray, sample: np.ndarray) -> np.ndarray:
        """Sigma nought, linear, at places within the image: two arrays of shape (rows, columns)."""
        first_line, first_sample = int(line.min()), int(sample.min())
        lines = min(int(line.max()) + 2, self._lines) - first_line
        samples = min(int(sample.max()) + 2, self._samples) - first_sample
        if lines * samples > _LARGEST_WINDOW and line.size > 1:
            axis = int(line.shape[1] > line.shape[0])
            halves = zip(np.array_split(line, 2, axis), np.array_split(sample, 2, axis), strict=True)
            return np.concatenate([self._interpolated(*half) for half in halves], axis)
        power = self._power(first_line, lines, first_sample, samples)
        return interpolated(power, line - first_line, sample - first_sample)

    def _power(self, first_line: int, lines: int, first_sample: int, samples: int) -> np.ndarray:
        """Sigma nought of a window, linear, not yet floored: below 0 where it is below noise; NaN where missing."""
        window = (first_line, lines, first_sample, samples)
        amplitudes = self._amplitudes(*window)
        missing = amplitudes == 0
        fringe = None if self._borders is None else self._borders.mask(*window)
        if fringe is not None:
            missing |= fringe
        power = amplitudes.astype(np.float32)
        power *= power
        if self._noise is not None:
            power -= self._noise.block(*window)
        divisor = self._sigma_nought.block(*window)
        divisor *= divisor
        power /= divisor
        power[missing] = np.nan
        return power

    def _amplitudes(self, first_line: int, lines: int, first_sample: int, samples: int) -> np.ndarray:
        try:
            read = self._file.read(1, window=Window(first_sample, first_line, samples, lines))
        except RasterioError as error:
            raise ArchiveError(f"{self._address} cannot be read as a raster: {error}") from error
        return np.asarray(read)


def interpolated(power: np.ndarray, line: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Bilinear values; where neighbours are missing, those with at least half the weight stand for all.

    Single zeros occur inside an image, where speckle is darkest; were they to make all that they touch missing, calm
    water would be full of holes. At the rim of an image half the weight is half a pixel: nothing grows or shrinks.

    Args:
        power: (lines, samples), float32, NaN where missing.
        line: any shape; within 0 to lines - 1.
        sample: of the same shape; within 0 to samples - 1.

    Returns:
        float32 of the places' shape; NaN where most of the weight is missing.
    """
    # One more line and sample, never weighed, spare the last ones a case of their own.
    padded = np.pad(power, ((0, 1), (0, 1)), mode="edge")
    top, left = line.astype(np.intp), sample.astype(np.intp)
    down, right = (line - top).astype(np.float32), (sample - left).astype(np.float32)
    index = top * padded.shape[1] + left
    gaps = bool(np.isnan(padded).any())
    if not gaps:
        return _weighed(padded, index, down, right)
    present = (~np.isnan(padded)).astype(np.float32)
    weight = _weighed(present, index, down, right)
    total = _weighed(np.nan_to_num(padded, nan=0.0), index, down, right)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight >= 0.5, total / weight, np.float32(np.nan))


def _weighed(values: np.ndarray, index: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Bilinear sums; `index` is that of the upper left of four neighbours in the flat array."""
    # `take` is faster than brackets, and lets other threads run.
    flat, width = values.ravel(), values.shape[1]
    above = flat.take(index)
    above += right * (flat.take(index + 1) - above)
    below = flat.take(index + width)
    below += right * (flat.take(index + (width + 1)) - below)
    below -= above
    below *= down
    above += below
    return np.asarray(above)
