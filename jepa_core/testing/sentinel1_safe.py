"""Sentinel-1 ground range products (IW GRDH, VV and VH) in ESA's SAFE format."""

import binascii
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.control import GroundControlPoint

from jepa_core.testing.geometry import Swath
from jepa_core.testing.land_cover import POLARISATIONS
from jepa_core.testing.package import zip_folder
from jepa_core.testing.sentinel1_annotation import annotation, grid_points
from jepa_core.testing.sentinel1_manifest import sentinel1_manifest
from jepa_core.testing.sentinel1_product import Sentinel1Product
from jepa_core.testing.sentinel1_radiometry import Radiometry
from jepa_core.testing.sentinel1_tables import calibration_annotation, noise_annotation
from jepa_core.testing.world import World
from jepa_core.testing.xml import write_xml, xml_bytes

_LOOKS = 4.4
"""Equivalent number of looks of IW GRDH."""

_ROWS = 128
"""Lines at once: bounds memory."""


def write_sentinel1_safe(
    root: Path,
    world: World,
    *,
    longitude: float,
    latitude: float,
    lines: int = 1500,
    samples: int = 2000,
    direction: str = "ascending",
    time: datetime,
    ipf: str = "003.31",
    platform: str = "S1A",
    relative_orbit: int = 146,
    noise: str | None = "range-azimuth",
    speckle: bool = False,
    seed: int = 0,
    fringe: int = 0,
    zero_border: int = 0,
    gain: float = 1.0,
    height_m: float = 0.0,
    zipped: bool = False,
) -> Path:
    """Writes one product; its geometry is `Swath.around` of the same place, direction, lines and samples.

    Args:
        root: folder that gets the product.
        world: what is seen: its sigma nought at pixel centres, whatever the angle.
        longitude: of the image's centre, degrees.
        latitude: of the image's centre, degrees.
        lines: rows, 10 m each.
        samples: columns, 10 m each.
        direction: `ascending` or `descending`.
        time: of the first line, UTC.
        ipf: version of the processor that the manifest names.
        platform: `S1A`, `S1B` or `S1C`.
        relative_orbit: 1 to 175.
        noise: `range-azimuth` (as since IPF 2.90), `old` (range alone), or None: no noise, and no files of it.
        speckle: whether power is multiplied with a gamma variable of 4.4 looks, independent for each pixel.
        seed: of speckle and fringe.
        fringe: samples at both range ends, inside the zero border, of DN 1 to 20 in place of zeros (as before IPF
            2.9).
        zero_border: outermost samples at both range ends of DN 0.
        gain: factor on the calibration tables; with 10, rounding to whole DN stops mattering.
        height_m: of all the ground, in the geolocation grid.
        zipped: whether the folder goes into a zip file.

    Returns:
        The `.SAFE` folder, or the zip file.
    """
    product = Sentinel1Product(platform, time, lines, direction, relative_orbit, ipf)
    swath = Swath.around(longitude, latitude, direction, lines, samples)
    radiometry = Radiometry(lines, samples, noise, gain)
    folder = root / f"{product.name(0)}.tmp"
    rngs = {p: np.random.default_rng([seed, i]) for i, p in enumerate(POLARISATIONS)}
    images = _digital_numbers(world, swath, radiometry, rngs if speckle else None)
    for polarisation, numbers in images.items():
        name = product.file(polarisation)
        _spoil_ends(numbers, zero_border, fringe, rngs[polarisation])
        _write_measurement(folder / f"measurement/{name}.tiff", numbers, swath, product, height_m)
        write_xml(folder / f"annotation/{name}.xml", annotation(product, swath, radiometry, polarisation, height_m))
        tables = folder / "annotation/calibration"
        write_xml(tables / f"calibration-{name}.xml", calibration_annotation(product, radiometry, polarisation))
        if noise is not None:
            write_xml(tables / f"noise-{name}.xml", noise_annotation(product, radiometry, polarisation))
    manifest = xml_bytes(sentinel1_manifest(folder, product, swath))
    (folder / "manifest.safe").write_bytes(manifest)
    final = folder.rename(root / f"{product.name(binascii.crc_hqx(manifest, 0xFFFF))}.SAFE")
    return zip_folder(final) if zipped else final


def _digital_numbers(
    world: World, swath: Swath, radiometry: Radiometry, rngs: dict[str, np.random.Generator] | None
) -> dict[str, npt.NDArray[np.uint16]]:
    """Pixels `(lines, samples)` by polarisation; at least 1, for 0 marks what was not measured."""
    out = {p: np.zeros((swath.lines, swath.samples), dtype=np.uint16) for p in POLARISATIONS}
    sample = np.arange(swath.samples, dtype=np.float64)[None]
    for first in range(0, swath.lines, _ROWS):
        line = np.arange(first, min(first + _ROWS, swath.lines), dtype=np.float64)[:, None]
        ground = world.ground(*swath.place(line, sample), swath.epsg)
        gain = radiometry.amplitude(line, sample) ** 2
        for polarisation in POLARISATIONS:
            power = ground.sigma0(polarisation) * gain + radiometry.noise(polarisation, line, sample)
            if rngs is not None:
                power *= rngs[polarisation].gamma(_LOOKS, 1 / _LOOKS, power.shape)
            out[polarisation][first : first + _ROWS] = np.clip(np.rint(np.sqrt(power)), 1, 65535)
    return out


def _spoil_ends(numbers: npt.NDArray[np.uint16], zeros: int, fringe: int, rng: np.random.Generator) -> None:
    """Sets both range ends to zeros and low values, in place."""
    for view in (numbers, numbers[:, ::-1]):
        view[:, :zeros] = 0
        view[:, zeros : zeros + fringe] = rng.integers(1, 21, (len(view), fringe))


def _write_measurement(
    path: Path, numbers: npt.NDArray[np.uint16], swath: Swath, product: Sentinel1Product, height_m: float
) -> None:
    """A GeoTIFF of one line a strip, uncompressed, with the geolocation grid as ground control points."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = []
    lines, samples = grid_points(swath)
    for line in lines:
        longitudes, latitudes = swath.lonlat(np.full(len(samples), float(line)), np.array(samples, dtype=float))
        for sample, x, y in zip(samples, longitudes, latitudes, strict=True):
            points.append(GroundControlPoint(line, sample, float(x), float(y), height_m))
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=swath.samples,
        height=swath.lines,
        count=1,
        dtype="uint16",
        crs="EPSG:4326",
        gcps=points,
        BLOCKYSIZE="1",
    ) as file:
        file.write(numbers, 1)
        letter = product.platform[2]
        file.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=f"Sentinel-1{letter} IW GRD HR L1",
            TIFFTAG_SOFTWARE=f"Sentinel-1 IPF {product.ipf}",
            TIFFTAG_DATETIME=product.stop.strftime("%Y:%m:%d %H:%M:%S"),
        )
