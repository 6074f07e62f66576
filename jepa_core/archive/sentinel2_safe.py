"""Sentinel-2 products in SAFE: Level-1C and Level-2A, one tile each, of every processing baseline.

Source: Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), sections on the user product's metadata.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from jepa_core.archive.orbits import parse_pass, parse_relative_orbit
from jepa_core.archive.safe import Safe
from jepa_core.archive.safe_sources import product_sources
from jepa_core.archive.scene import ArchiveError, BandRaster, Product, Scene, Source
from jepa_core.archive.times import parse_time
from jepa_core.archive.xml import number_of, parse_xml, text_of
from jepa_core.sensors import SENTINEL2, Sensor

OFFSET_SINCE = "04.00"
"""Processing baseline that began to shift DN by 1,000 (25 January 2022, and all that was reprocessed since)."""

_DN = 10_000.0
"""DN of the sensor record mean reflectance times this."""

_MOST_PER_UNIT = 1e6
"""Stored values have 16 bits: a reflectance of 1 cannot be more."""


def find_sources(root: Path, sensor: Sensor) -> Iterator[Source]:
    """Places under `root` that are named as Sentinel-2 products; nothing for another sensor."""
    if sensor.name == SENTINEL2.name:
        yield from product_sources(root, sensor, read_scene)


def read_scene(safe: Safe, sensor: Sensor) -> Scene:
    """The product's scene, its pixels not yet read.

    Args:
        safe: the product.
        sensor: Sentinel-2, with the bands that are wanted.

    Raises:
        ArchiveError: metadata are missing or broken, a band is missing, there is not exactly one tile, or the
            product's baseline calls for an offset that its metadata do not give.
    """
    path = safe.only(r"MTD_MSIL(1C|2A)\.xml", "metadata file MTD_MSIL1C.xml or MTD_MSIL2A.xml")
    level = path.removeprefix("MTD_MSI").removesuffix(".xml")
    name = safe.name_of(path)
    metadata = parse_xml(safe.read(path), name)
    tile, tile_name = _tile_metadata(safe)
    baseline = checked_baseline(text_of(metadata, ".//PROCESSING_BASELINE", name), name)
    scale = _DN / _quantification(metadata, level, name)
    offsets = _offsets(metadata, level, baseline, name)
    started = text_of(metadata, ".//DATATAKE_SENSING_START", name)
    rasters = {
        band: BandRaster(
            address=safe.address(_band_file(safe, level, band, sensor)),
            unit="DN",
            scale=scale,
            offset=scale * offsets.get(band, 0.0),
            nodata=0.0,
        )
        for band in sensor.band_names
    }
    return Scene(
        id=safe.name,
        sensor=sensor,
        time=parse_time(text_of(tile, ".//SENSING_TIME", tile_name), tile_name),
        rasters=rasters,
        epsg=_epsg(text_of(tile, ".//HORIZONTAL_CS_CODE", tile_name), tile_name),
        classes=_classes(safe),
        product=Product(
            acquisition="_".join(
                [
                    safe.name[:3],
                    parse_time(started, name).strftime("%Y%m%dT%H%M%S"),
                    tile_of(text_of(tile, ".//TILE_ID", tile_name), tile_name),
                    datastrip_start(text_of(tile, ".//DATASTRIP_ID", tile_name)),
                ]
            ),
            processed=f"{level}-{baseline}-{text_of(metadata, './/GENERATION_TIME', name)}",
            level=level,
            baseline=baseline,
            offset_dn=scale * offsets.get(sensor.band_names[0], 0.0),
            orbit_pass=parse_pass(text_of(metadata, ".//SENSING_ORBIT_DIRECTION", name), name),
            relative_orbit=parse_relative_orbit(number_of(metadata, ".//SENSING_ORBIT_NUMBER", name), name),
        ),
    )


def checked_baseline(text: str, name: str) -> str:
    """The baseline, such as `05.09`.

    Raises:
        ArchiveError: it is not written so, and nobody can tell whether values are shifted.
    """
    if not re.fullmatch(r"\d\d\.\d\d", text):
        raise ArchiveError(f"{name}: the processing baseline is {text[:20]!r}; it should read like 05.09")
    return text


def tile_of(text: str, name: str) -> str:
    """The MGRS tile in an identifier, such as `T33TWM`.

    Raises:
        ArchiveError: there is none.
    """
    match = re.search(r"T\d{2}[A-Z]{3}(?=_|$)", text)
    if match is None:
        raise ArchiveError(f"{name}: {text[:80]!r} names no tile")
    return match[0]


def datastrip_start(identifier: str) -> str:
    """Start of the datastrip: what tells apart two products of one tile that a datatake was split into."""
    match = re.search(r"_S(\d{8}T\d{6})", identifier)
    return match[1] if match else ""


def _epsg(text: str, name: str) -> int:
    match = re.fullmatch(r"EPSG:(\d{4,5})", text, re.IGNORECASE)
    if match is None:
        raise ArchiveError(f"{name}: {text[:40]!r} is no EPSG code")
    return int(match[1])


def _tile_metadata(safe: Safe) -> tuple[Element, str]:
    """Metadata of the one tile, and the file that they are in."""
    found = safe.find(r"GRANULE/[^/]+/MTD_TL\.xml")
    if len(found) > 1:
        raise ArchiveError(
            f"{safe.place} holds {len(found)} tiles; products of one tile are read (since December 2016)"
        )
    path = safe.only(r"GRANULE/[^/]+/MTD_TL\.xml", "metadata file GRANULE/.../MTD_TL.xml")
    return parse_xml(safe.read(path), safe.name_of(path)), safe.name_of(path)


def _quantification(metadata: Element, level: str, name: str) -> float:
    tag = "BOA_QUANTIFICATION_VALUE" if level == "L2A" else "QUANTIFICATION_VALUE"
    value = number_of(metadata, f".//{tag}", name)
    if not 1 <= value <= _MOST_PER_UNIT:
        raise ArchiveError(f"{name}: {tag} is {value:g}; products have {_DN:g}")
    return value


def _offsets(metadata: Element, level: str, baseline: str, name: str) -> dict[str, float]:
    """What is added to stored DN, by band name; the metadata number bands, and name the numbers elsewhere."""
    tag = "BOA_ADD_OFFSET" if level == "L2A" else "RADIO_ADD_OFFSET"
    found = metadata.findall(f".//{tag}")
    if not found:
        if baseline >= OFFSET_SINCE:
            raise ArchiveError(f"{name}: baseline {baseline} shifts its values, but there is no {tag}")
        return {}
    names = {}
    for band in metadata.findall(".//Spectral_Information"):
        physical = band.get("physicalBand", "")
        names[band.get("bandId")] = "B" + physical.removeprefix("B").zfill(2)
    offsets = {names.get(offset.get("band_id")): number_of(offset, ".", name) for offset in found}
    lacking = [band for band in SENTINEL2.band_names if band not in offsets]
    if lacking:
        raise ArchiveError(f"{name}: no {tag} for band {', '.join(lacking)}")
    return {band: value for band, value in offsets.items() if band is not None}


def _band_file(safe: Safe, level: str, band: str, sensor: Sensor) -> str:
    """The band's file at its native resolution, else at the finest there is."""
    inner = r"R(?P<m>\d+)m/[^/]+_{0}_(?P=m)m\.jp2" if level == "L2A" else r"[^/]+_{0}\.jp2"
    found = safe.find(r"GRANULE/[^/]+/IMG_DATA/" + inner.replace("{0}", band))
    if not found:
        raise ArchiveError(f"{safe.place} has no band {band}")
    native = sensor.bands[sensor.positions((band,))[0]].resolution_m
    return min(found, key=lambda member: (_metres(member) != native, _metres(member)))


def _metres(member: str) -> float:
    match = re.search(r"_(\d+)m\.jp2$", member)
    return float(match[1]) if match else 0.0


def _classes(safe: Safe) -> BandRaster | None:
    found = safe.find(r"GRANULE/[^/]+/IMG_DATA/R20m/[^/]+_SCL_20m\.jp2")
    return BandRaster(safe.address(found[0]), "class", nodata=0.0) if found else None
