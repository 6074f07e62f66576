"""One polarisation of a Sentinel-1 IW GRD product: its record, and its view on the pixels of a map."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from jepa_core.archive.scene import ArchiveError
from jepa_core.grid import Frame
from jepa_core.radar.annotation import Annotation, read_annotation
from jepa_core.radar.calibration import Calibration, Noise, read_calibration, read_noise
from jepa_core.radar.outline import outline_of
from jepa_core.radar.view import BandView


@dataclass(frozen=True)
class RadarBand:
    """What is needed to read one polarisation."""

    measurement: str
    """What rasterio opens: a path, or GDAL's name of a zipped or remote file."""

    annotation: Annotation
    """Size, time and place."""

    calibration: Calibration
    """From amplitude to sigma nought."""

    noise: Noise | None
    """Thermal noise to subtract; None where it is not known or has been subtracted already."""

    def outline(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitudes and latitudes along the image's edge, half a pixel outside the outer pixels' centres.

        Returns:
            Two arrays of one shape, degrees; longitudes in -180 to 180, also where the edge crosses 180. Points are
            about 1 km apart: straight lines between them bound the image to a metre in any zone near it.
        """
        return outline_of(self.annotation.grid, self.annotation.lines, self.annotation.samples)


def read_radar_band(
    measurement: str, annotation: bytes, calibration: bytes, noise: bytes | None, name: str
) -> RadarBand:
    """The record of one polarisation; the measurement is not opened.

    Args:
        measurement: address that rasterio opens.
        annotation: bytes of its annotation file.
        calibration: bytes of its calibration file.
        noise: bytes of its noise file; None where there is none.
        name: of the image, for messages.

    Raises:
        ArchiveError: a file is not what it should be, or belongs to another polarisation.
    """
    described = read_annotation(annotation, f"annotation of {name}")
    calibrated = read_calibration(calibration, f"calibration of {name}")
    noisy = None if noise is None else read_noise(noise, f"noise of {name}")
    for what, part in (("calibration", calibrated), ("noise", noisy)):
        if part is not None and part.polarisation != described.polarisation:
            raise ArchiveError(f"{what} of {name} is of {part.polarisation}, the image of {described.polarisation}")
    return RadarBand(measurement, described, calibrated, None if described.noise_removed else noisy)


@contextmanager
def open_view(band: RadarBand, frame: Frame) -> Iterator[BandView]:
    """The band on the pixels of a frame; its `read` gives strips of rows.

    Views share nothing: one thread each may read several at a time. A strip of the full width of a scene crosses
    5,000 lines and more, and the next strip most of them again: GDAL's block cache should hold 300 MB for each view
    that is open, or lines are read, and decompressed, up to a hundred times.

    Args:
        band: what to read.
        frame: the pixels to bring it to.

    Raises:
        ArchiveError: the measurement cannot be read or has another size than its annotation says.
    """
    try:
        file = rasterio.open(band.measurement)
    except (RasterioError, UnicodeEncodeError) as error:
        raise ArchiveError(f"{band.measurement} cannot be read as a raster: {error}") from error
    with file:
        wanted = (band.annotation.lines, band.annotation.samples)
        if (file.height, file.width) != wanted or file.count != 1:
            raise ArchiveError(
                f"{band.measurement} has {file.count} band(s) of {file.height} x {file.width} pixels; "
                f"its annotation says 1 of {wanted[0]} x {wanted[1]}"
            )
        if file.dtypes[0] != "uint16":
            raise ArchiveError(f"{band.measurement} holds {file.dtypes[0]}, not the uint16 of a GRD product")
        yield BandView(file, band.measurement, band.annotation, band.calibration.sigma_nought, band.noise, frame)
