"""What a Sentinel-1 product says of one image: its size, time and place on the ground.

Source: Sentinel-1 Product Specification, S1-RS-MDA-52-7441, annotation: product.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

import numpy as np

from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.xml import number_of, parse_xml, text_of

_MOST_PIXELS = 200_000
"""Longer sides are no IW image: the longest data take has fewer lines."""

_PASSES = ("ascending", "descending")


@dataclass(frozen=True)
class GeolocationGrid:
    """Points of an image whose place on the ground is known; each array is of shape (rows, columns)."""

    line: np.ndarray
    """Line of the point, from 0; grows down a column, the same along a row."""

    pixel: np.ndarray
    """Sample of the point, from 0; grows along a row, the same down a column."""

    latitude: np.ndarray
    """Degrees north, WGS 84, on the terrain."""

    longitude: np.ndarray
    """Degrees east, WGS 84, on the terrain; jumps where the image crosses the antimeridian."""

    height: np.ndarray
    """Height of the terrain that the place was worked out for, metres above the ellipsoid."""


@dataclass(frozen=True)
class Annotation:
    """One polarisation of an IW GRD product."""

    polarisation: str
    """`VV`, `VH`, `HH` or `HV`."""

    lines: int
    """Rows of the image: azimuth."""

    samples: int
    """Columns of the image: ground range."""

    start: datetime
    """Of the acquisition, UTC."""

    stop: datetime
    """Of the acquisition, UTC."""

    orbit_pass: str
    """`ascending` or `descending`."""

    noise_removed: bool
    """Whether the processor has already subtracted thermal noise from the image."""

    grid: GeolocationGrid
    """Where the image lies."""


def read_annotation(data: bytes, name: str) -> Annotation:
    """The parts of an annotation file that cutting needs.

    Args:
        data: the file's bytes.
        name: of the file, for messages.

    Raises:
        ArchiveError: not an annotation of an IW GRD image, or a part is missing or makes no sense.
    """
    root = parse_xml(data, name)
    for field, wanted in (("productType", "GRD"), ("mode", "IW")):
        found = text_of(root, f"adsHeader/{field}", name)
        if found != wanted:
            raise ArchiveError(f"{name}: {field} is {found[:40]!r}; only {wanted} is read")
    orbit_pass = text_of(root, "generalAnnotation/productInformation/pass", name).lower()
    if orbit_pass not in _PASSES:
        raise ArchiveError(f"{name}: pass is {orbit_pass[:40]!r}, neither {' nor '.join(_PASSES)}")
    image = "imageAnnotation/imageInformation"
    removed = root.findtext("imageAnnotation/processingInformation/thermalNoiseCorrectionPerformed") or ""
    return Annotation(
        polarisation=polarisation_of(root, name),
        lines=_side(root, f"{image}/numberOfLines", name),
        samples=_side(root, f"{image}/numberOfSamples", name),
        start=_time(root, "adsHeader/startTime", name),
        stop=_time(root, "adsHeader/stopTime", name),
        orbit_pass=orbit_pass,
        noise_removed=removed.strip().lower() == "true",
        grid=_grid(root, name),
    )


def polarisation_of(root: Element, name: str) -> str:
    """Polarisation in the header that annotation, calibration and noise files share.

    Raises:
        ArchiveError: there is none, or it is none of Sentinel-1's.
    """
    found = text_of(root, "adsHeader/polarisation", name)
    if not re.fullmatch("[HV][HV]", found):
        raise ArchiveError(f"{name}: polarisation is {found[:40]!r}")
    return found


def _side(root: Element, path: str, name: str) -> int:
    number = number_of(root, path, name)
    if number != int(number) or not 2 <= number <= _MOST_PIXELS:
        raise ArchiveError(f"{name}: {path} is {number:g}; an image has 2 to {_MOST_PIXELS:,}")
    return int(number)


def _time(root: Element, path: str, name: str) -> datetime:
    text = text_of(root, path, name)
    try:
        time = datetime.fromisoformat(text)
        # Times are UTC by definition and carry no zone.
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ArchiveError(f"{name}: {path} is {text[:40]!r}, not a time") from error


def _grid(root: Element, name: str) -> GeolocationGrid:
    """Points in rows of one line each, whatever order the file has them in."""
    points = root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    fields = ("line", "pixel", "latitude", "longitude", "height")
    table = np.array([[number_of(point, field, name) for field in fields] for point in points], dtype=np.float64)
    table = table.reshape(-1, len(fields))
    # Keys of lexsort come last first: by line, then by pixel.
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    rows, columns = len(np.unique(table[:, 0])), len(np.unique(table[:, 1]))
    if rows < 2 or columns < 2:
        raise ArchiveError(f"{name}: the geolocation grid has {rows} x {columns} points; 2 x 2 are the least")
    if rows * columns != len(table):
        raise ArchiveError(f"{name}: {len(table)} geolocation points do not fill {rows} lines x {columns} pixels")
    line, pixel, latitude, longitude, height = table.T.reshape(len(fields), rows, columns)
    if not ((line == line[:, :1]).all() and (pixel == pixel[:1]).all()):
        raise ArchiveError(f"{name}: the geolocation points do not form a grid of lines and pixels")
    if np.abs(latitude).max() > 90 or np.abs(longitude).max() > 360:
        raise ArchiveError(f"{name}: geolocation points lie off the Earth")
    if max(np.abs(line).max(), np.abs(pixel).max()) > 2 * _MOST_PIXELS:
        raise ArchiveError(f"{name}: geolocation points lie far outside the image")
    return GeolocationGrid(line, pixel, latitude, longitude, height)
