"""Sentinel-1 products in SAFE: IW, ground range detected (GRD).

Source: Sentinel-1 Product Specification (S1-RS-MDA-52-7441), sections on the manifest and the product's folders.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from jepa_core.archive.orbits import parse_relative_orbit
from jepa_core.archive.safe import Safe
from jepa_core.archive.safe_sources import product_sources
from jepa_core.archive.scene import ArchiveError, Product, Scene, Source
from jepa_core.archive.times import parse_time
from jepa_core.archive.xml import number_of, parse_xml, text_of
from jepa_core.radar.band import RadarBand, read_radar_band
from jepa_core.sensors import SENTINEL1, Sensor


def find_sources(root: Path, sensor: Sensor) -> Iterator[Source]:
    """Places under `root` that are named as Sentinel-1 products; nothing for another sensor."""
    if sensor.name == SENTINEL1.name:
        yield from product_sources(root, sensor, read_scene)


def read_scene(safe: Safe, sensor: Sensor) -> Scene:
    """The product's scene, its pixels not yet read.

    Args:
        safe: the product.
        sensor: Sentinel-1, with the polarisations that are wanted.

    Raises:
        ArchiveError: metadata are missing or broken, or a polarisation is missing or not calibrated.
    """
    manifest = safe.only(r"manifest\.safe", "file manifest.safe")
    name = safe.name_of(manifest)
    root = parse_xml(safe.read(manifest), name)
    if "_GRD" not in safe.name:
        raise ArchiveError(f"{safe.place}: of Sentinel-1, GRD products are read")
    bands = {band: _band(safe, band) for band in sensor.band_names}
    annotation = next(iter(bands.values())).annotation
    return Scene(
        id=safe.name,
        sensor=sensor,
        time=annotation.start,
        rasters=bands,
        product=Product(
            acquisition=sentinel1_acquisition(safe.name),
            processed=f"GRD-{_processing_end(root, name)}",
            level="GRD",
            baseline=_software_version(root, name),
            orbit_pass=annotation.orbit_pass,
            relative_orbit=parse_relative_orbit(number_of(root, ".//{*}relativeOrbitNumber", name), name),
        ),
    )


def sentinel1_acquisition(name: str) -> str:
    """What all processings of one acquisition share, from the product's name; empty for another kind of name."""
    match = re.match(r"(S1[A-D])_\w{2}_\w{4}_\w{4}_(\d{8}T\d{6})_\d{8}T\d{6}_\d{6}_(\w{6})", name)
    return "_".join(match.groups()) if match else ""


def _band(safe: Safe, band: str) -> RadarBand:
    measurement = _file(safe, r"measurement/", band, r"\.tiff?", "measurement")
    annotation = _file(safe, r"annotation/", band, r"\.xml", "annotation")
    calibration = _file(safe, r"annotation/calibration/calibration-", band, r"\.xml", "calibration file")
    noise = safe.find(_pattern(r"annotation/calibration/noise-", band, r"\.xml"))
    return read_radar_band(
        safe.address(measurement),
        safe.read(annotation),
        safe.read(calibration),
        safe.read(noise[0]) if noise else None,
        safe.name_of(measurement),
    )


def _pattern(folder: str, band: str, ending: str) -> str:
    return rf"{folder}s1[a-d]-[^/]+-{band.lower()}-[^/]+{ending}"


def _file(safe: Safe, folder: str, band: str, ending: str, what: str) -> str:
    return safe.only(_pattern(folder, band, ending), f"{what} of band {band}")


def _processing_end(manifest: Element, name: str) -> str:
    # Processings nest, each in the product that the outer one was made from: the first is the last.
    processing = manifest.find(".//{*}processing")
    if processing is None:
        raise ArchiveError(f"{name} has no processing")
    return parse_time(processing.get("stop") or "", name).isoformat()


def _software_version(manifest: Element, name: str) -> str:
    software = manifest.find(".//{*}processing/{*}facility/{*}software")
    if software is None:
        raise ArchiveError(f"{name} names no processing software")
    return software.get("version") or text_of(software, ".", name)
