"""A band as it lies on the pixels of a frame, read row by row in the sensor's unit."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from jepa_core.archive.scene import ArchiveError, BandRaster
from jepa_core.grid import Frame
from jepa_core.radar.view import FLOOR_DB
from jepa_core.sensors import SENSORS, Sensor

_SATURATED_DN = 65535
"""What Sentinel-2 writes where a detector was blinded."""

_SAME_PLACE = 1e-3
"""Share of a pixel by which two grids may differ and still be one."""

_FINEST_M, _COARSEST_M = 1.0, 1000.0
"""Pixels of a Sentinel product lie between; others have another unit than metres or degrees."""


class BandView(Protocol):
    """What a band gives, however it lies in its file."""

    def read(self, first_row: int, rows: int) -> np.ndarray:
        """Rows of the frame: (rows, frame width) float32 in the sensor's unit, NaN where nothing was measured."""
        ...


@contextmanager
def opened(raster: BandRaster) -> Iterator[DatasetReader]:
    """The raster, opened and looked at.

    Raises:
        ArchiveError: it is not readable, lacks the band or a coordinate reference system.
    """
    try:
        file = rasterio.open(raster.address)
    except (RasterioError, UnicodeEncodeError) as error:
        raise ArchiveError(f"{raster.address} cannot be read as a raster: {error}") from error
    with file:
        if not 1 <= raster.number <= file.count:
            raise ArchiveError(f"{raster.address} has {file.count} bands, not a band number {raster.number}")
        if file.crs is None:
            raise ArchiveError(f"{raster.address} has no coordinate reference system")
        yield file


def check_band_name(file: DatasetReader, raster: BandRaster, band: str) -> None:
    """Refuses a file that calls the band by another band's name.

    Raises:
        ArchiveError: it does.
    """
    said = (file.descriptions[raster.number - 1] or "").strip().upper()
    known = {name for sensor in SENSORS.values() for name in sensor.band_names}
    if said in known and said != band:
        raise ArchiveError(f"{raster.address} describes its band {raster.number} as {said}; it should be {band}")


def pixel_m(file: DatasetReader) -> float:
    """Side of the raster's pixels, metres.

    Raises:
        ArchiveError: it is no Sentinel product's, so that the coordinate reference system must be wrong.
    """
    size = float(max(abs(file.res[0]), abs(file.res[1])))
    if file.crs.is_geographic:
        size *= 111_320.0
    if not _FINEST_M <= size <= _COARSEST_M:
        raise ArchiveError(f"{file.name} has pixels of {size:.3g} m in {file.crs}: its reference system must be wrong")
    return size


@contextmanager
def open_raster_view(raster: BandRaster, frame: Frame, sensor: Sensor) -> Iterator[BandView]:
    """View of a band that lies on a grid of map coordinates, in the sensor's unit.

    Where the file's pixels are the frame's, values are copied; elsewhere they are interpolated bilinearly.

    Raises:
        ArchiveError: see `opened`.
    """
    # Of linear power 0 is no measurement: the unmarked fringes of radar scenes, which must not bleed inwards.
    habit = 0.0 if raster.unit == "linear" else sensor.nodata
    blinded = _SATURATED_DN if sensor.bands[0].unit == "DN" else None
    with _on_frame(raster, frame, habit, blinded, Resampling.bilinear) as stored:
        yield _InUnit(stored, raster, sensor)


@contextmanager
def open_class_view(raster: BandRaster, frame: Frame) -> Iterator[BandView]:
    """View of a map of classes: stored numbers, the nearest where pixel grids differ, for they are no amounts.

    Raises:
        ArchiveError: see `opened`.
    """
    with _on_frame(raster, frame, None, None, Resampling.nearest) as stored:
        yield stored


@contextmanager
def _on_frame(
    raster: BandRaster, frame: Frame, habit: float | None, blinded: int | None, resampling: Resampling
) -> Iterator["_Stored"]:
    with ExitStack() as stack:
        file = stack.enter_context(opened(raster))
        missing = _missing(file, raster, habit)
        view: DatasetReader = file
        number = raster.number
        offset = _offset_in(file, frame)
        if offset is None:
            if blinded is not None and file.dtypes[number - 1] == "uint16":
                file = stack.enter_context(rasterio.open(_without(blinded, file, number, int(missing))))
                number = 1
            view = stack.enter_context(
                WarpedVRT(
                    file,
                    # Pixels: GDAL's own eighth is more than two grids may differ by.
                    tolerance=0.01,
                    **_without_seam(file),
                    crs=CRS.from_epsg(frame.epsg),
                    transform=from_origin(frame.left, frame.top, frame.resolution_m, frame.resolution_m),
                    width=frame.width,
                    height=frame.height,
                    resampling=resampling,
                    src_nodata=missing,
                    nodata=missing,
                )
            )
            offset = (0, 0)
        yield _Stored(view, raster.address, number, frame.width, missing, offset)


def _without(value: int, file: DatasetReader, number: int, missing: int) -> str:
    """A virtual raster of one band of a file, in which a value is missing, too: warping would mix it with others."""
    size = f'xOff="0" yOff="0" xSize="{file.width}" ySize="{file.height}"'
    return f"""<VRTDataset rasterXSize="{file.width}" rasterYSize="{file.height}">
  <SRS>{escape(file.crs.to_wkt())}</SRS>
  <GeoTransform>{", ".join(repr(float(v)) for v in file.transform.to_gdal())}</GeoTransform>
  <VRTRasterBand dataType="UInt16" band="1"><NoDataValue>{missing}</NoDataValue><ComplexSource>
    <SourceFilename relativeToVRT="0">{escape(file.name)}</SourceFilename><SourceBand>{number}</SourceBand>
    <SrcRect {size}/><DstRect {size}/><NODATA>{value}</NODATA>
  </ComplexSource></VRTRasterBand>
</VRTDataset>"""


@dataclass(frozen=True)
class _Stored:
    """Reads values as the file has them."""

    file: DatasetReader
    """On the frame's own pixels."""

    address: str
    """Of what is read, for messages."""

    number: int
    """Of its band, from 1."""

    width: int
    """Of the frame, pixels."""

    missing: float
    """Value that marks what was not measured."""

    offset: tuple[int, int]
    """Rows and columns from the file's corner to the frame's."""

    def read(self, first_row: int, rows: int) -> np.ndarray:
        """Rows of the frame: (rows, frame width) float32, NaN where nothing was measured."""
        top, left = first_row + self.offset[0], self.offset[1]
        y0, y1 = max(top, 0), min(top + rows, self.file.height)
        x0, x1 = max(left, 0), min(left + self.width, self.file.width)
        values = np.full((rows, self.width), np.nan, dtype=np.float32)
        if y0 >= y1 or x0 >= x1:
            return values
        window = Window(x0, y0, x1 - x0, y1 - y0)
        number = self.number
        try:
            read = self.file.read(number, window=window)
            part = read.astype(np.float32)
            part[read == self.missing] = np.nan
            if MaskFlags.per_dataset in self.file.mask_flag_enums[number - 1]:
                part[self.file.read_masks(number, window=window) == 0] = np.nan
        except RasterioError as error:
            raise ArchiveError(f"{self.address} cannot be read as a raster: {error}") from error
        values[y0 - top : y1 - top, x0 - left : x1 - left] = part
        return values


@dataclass(frozen=True)
class _InUnit:
    """Reads values in the sensor's unit."""

    stored: _Stored
    """As the file has them."""

    raster: BandRaster
    """What their unit is."""

    sensor: Sensor
    """Whose unit is wanted."""

    def read(self, first_row: int, rows: int) -> np.ndarray:
        """Rows of the frame: (rows, frame width) float32 in the sensor's unit, NaN where nothing was measured."""
        return _in_unit(self.stored.read(first_row, rows), self.raster, self.sensor)


def _offset_in(file: DatasetReader, frame: Frame) -> tuple[int, int] | None:
    """Rows and columns from the file's corner to the frame's, where both have one pixel grid; else None."""
    if file.crs.to_epsg() != frame.epsg:
        return None
    step = file.transform
    if any(abs(v) > 1e-9 for v in (step.b, step.d)) or step.a <= 0 or step.e >= 0:
        return None
    # A whole scene's width may not add up to more than a small part of a pixel.
    drift = _SAME_PLACE / max(file.width, file.height)
    if abs(step.a / frame.resolution_m - 1) > drift or abs(-step.e / frame.resolution_m - 1) > drift:
        return None
    column, row = (frame.left - step.c) / frame.resolution_m, (step.f - frame.top) / frame.resolution_m
    if abs(column - round(column)) > _SAME_PLACE or abs(row - round(row)) > _SAME_PLACE:
        return None
    return round(row), round(column)


def _without_seam(file: DatasetReader) -> dict[str, Any]:
    """For a raster in degrees that runs on past 180: its own place, counted from its middle.

    Places of a zone come back as longitudes of -180 to 180, which half of such a raster would not be met by.
    """
    left, right = file.bounds.left, file.bounds.right
    if not file.crs.is_geographic or (left >= -180 and right <= 180):
        return {}
    middle = (left + right) / 2
    turned = f"{file.crs.to_proj4()} +pm={(middle + 180) % 360 - 180}"
    step = file.transform
    place = Affine(step.a, step.b, step.c - middle, step.d, step.e, step.f)
    return {"src_crs": CRS.from_string(turned), "src_transform": place}


def _missing(file: DatasetReader, raster: BandRaster, habit: float | None) -> float:
    """What marks a missing value in the raster: the archive's word, else the file's tag, else the sensor's habit."""
    for said in (raster.nodata, file.nodata, habit):
        if said is not None:
            return float(said)
    return float("nan")


def _in_unit(values: np.ndarray, raster: BandRaster, sensor: Sensor) -> np.ndarray:
    """Stored values in the sensor's unit."""
    unit = sensor.bands[0].unit
    scale, offset = raster.scale, raster.offset
    if unit == "DN":
        values[values >= _SATURATED_DN] = np.nan
        if raster.unit == "reflectance":
            scale, offset = scale * 10_000, offset * 10_000
        elif raster.unit != "DN":
            raise ArchiveError(f"{raster.address}: values in {raster.unit!r} cannot be made {unit}")
        if (scale, offset) == (1.0, 0.0):
            return values
        # A dark measurement may fall to 0 and below, which would mark it as missing.
        return np.asarray(np.maximum(values * np.float32(scale) + np.float32(offset), 1.0))
    if (scale, offset) != (1.0, 0.0):
        values = values * np.float32(scale) + np.float32(offset)
    if raster.unit == "linear":
        # Zero power is no measurement: the unmarked fringes of radar scenes.
        values[values <= 0] = np.nan
        return np.asarray(np.maximum(10 * np.log10(values), FLOOR_DB))
    if raster.unit != unit:
        raise ArchiveError(f"{raster.address}: values in {raster.unit!r} cannot be made {unit}")
    return values
