"""Sentinel-2 products in ESA's SAFE format (compact names, since December 2016)."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from jepa_core.testing.jpeg2000 import write_jpeg2000
from jepa_core.testing.manifest import data_objects, manifest, metadata_object
from jepa_core.testing.package import zip_folder
from jepa_core.testing.place import PixelGrid
from jepa_core.testing.sentinel2_granule import datastrip_metadata, tile_metadata
from jepa_core.testing.sentinel2_metadata import product_metadata
from jepa_core.testing.sentinel2_pixels import NATIVE_M, Sight, SwathEdge, classification, images
from jepa_core.testing.sentinel2_product import Sentinel2Product, iso
from jepa_core.testing.world import World
from jepa_core.testing.xml import node, write_xml

_L2A_IMAGES = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B11", "B12", "B8A"),
    60: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B09", "B11", "B12", "B8A"),
}
"""Level-2A holds bands at their own pixel and at coarser ones; B08 at 10 m only."""


def write_sentinel2_safe(
    root: Path,
    world: World,
    *,
    tile: str = "33UUP",
    epsg: int = 32633,
    left: float,
    top: float,
    size_m: float = 12_000.0,
    time: datetime,
    level: str = "L2A",
    baseline: str = "05.09",
    relative_orbit: int = 79,
    platform: str = "S2A",
    processed: datetime | None = None,
    edge: SwathEdge | None = None,
    clouds: float = 0.0,
    sky: int = 0,
    copies: bool = True,
    zipped: bool = False,
) -> Path:
    """Writes one product: point samples of the world at pixel centres, at every resolution.

    Args:
        root: folder that gets the product.
        world: what is seen.
        tile: MGRS name; it need not be that of the place.
        epsg: code of the UTM zone.
        left: west edge, metres.
        top: north edge, metres.
        size_m: side, metres; a multiple of 60.
        time: start of the datatake, UTC.
        level: `L2A` or `L1C` (the same reflectance: there is no atmosphere).
        baseline: processing baseline; since 04.00, 1000 is added to DN.
        relative_orbit: 1 to 143.
        platform: `S2A`, `S2B` or `S2C`.
        processed: when it was processed; six hours after `time` by default.
        edge: slanting edge of what was measured.
        clouds: share of the world under clouds, in the classification alone.
        sky: seed of the clouds.
        copies: whether Level-2A has its coarser copies of finer bands, AOT, WVP and TCI.
        zipped: whether the folder goes into a zip file.

    Returns:
        The `.SAFE` folder, or the zip file.
    """
    product = Sentinel2Product(
        tile,
        epsg,
        left,
        top,
        size_m,
        time,
        level,
        baseline,
        relative_orbit,
        platform,
        processed or time + timedelta(hours=6),
    )
    folder = root / f"{product.name}.SAFE"
    sight = Sight(product.offset_dn, edge, clouds, sky)
    files = []
    for resolution in (10, 20, 60):
        grid = PixelGrid.square(epsg, left, top, size_m, resolution)
        files += _write_images(folder, world, product, grid, sight, copies)
    footprint = PixelGrid.square(epsg, left, top, size_m, 60).lonlat_corners()
    write_xml(folder / f"MTD_MSI{level}.xml", product_metadata(product, files, footprint))
    write_xml(folder / f"GRANULE/{product.granule}/MTD_TL.xml", tile_metadata(product))
    write_xml(folder / f"DATASTRIP/{product.datastrip}/MTD_DS.xml", datastrip_metadata(product))
    _write_manifest(folder, product)
    return zip_folder(folder) if zipped else folder


def _write_images(
    folder: Path, world: World, product: Sentinel2Product, grid: PixelGrid, sight: Sight, copies: bool
) -> list[str]:
    """Images of one resolution; gives their paths inside the product."""
    resolution = int(grid.resolution_m)
    bands = tuple(band for band in product.bands if NATIVE_M[band] == resolution)
    if product.level == "L2A" and copies:
        bands = _L2A_IMAGES[resolution]
    pixels = images(world, grid, bands, sight)
    written = []
    for band in bands:
        written.append(product.image(band, resolution))
        write_jpeg2000(folder / f"{written[-1]}.jp2", pixels[band], grid, bits=15)
    if product.level == "L1C":
        return written
    others: dict[str, tuple[np.ndarray, int]] = {}
    if resolution > 10 and (copies or resolution == 20):
        others["SCL"] = classification(world, grid, sight), 8
    if copies:
        shape = pixels["B02"].shape
        # Of 3558 DN less the offset, the real product's picture makes 255.
        colours = np.stack([pixels[band].astype(float) - sight.offset_dn for band in ("B04", "B03", "B02")])
        others["TCI"] = np.clip(colours / 3558 * 255, 0, 255).astype(np.uint8), 8
        others["AOT"] = np.full(shape, 100, dtype=np.uint16), 15
        others["WVP"] = np.full(shape, 2000, dtype=np.uint16), 15
    for name, (image, bits) in others.items():
        written.append(product.image(name, resolution))
        write_jpeg2000(folder / f"{written[-1]}.jp2", image, grid, bits)
    return written


def _write_manifest(folder: Path, product: Sentinel2Product) -> None:
    period = node("safe:acquisitionPeriod", node("safe:startTime", iso(product.time)))
    orbit = node(
        "safe:orbitReference",
        node("safe:orbitNumber", product.absolute_orbit, type="start"),
        node("safe:relativeOrbitNumber", product.relative_orbit, type="start"),
    )
    platform = node(
        "safe:platform",
        node("safe:familyName", "Sentinel"),
        node("safe:number", product.platform[1:]),
        node("safe:instrument", node("safe:familyName", "Multi-Spectral Instrument", abbreviation="MSI")),
    )
    metadata = [
        metadata_object("acquisitionPeriod", period, "Acquisition Period"),
        metadata_object("platform", platform, "Platform Description"),
        metadata_object("measurementOrbitReference", orbit, "Orbit Reference"),
    ]
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    objects = data_objects(folder, {name: name.rsplit("/", 1)[-1].split(".")[0] for name in names})
    units = [
        node("xfdu:contentUnit", node("dataObjectPointer", dataObjectID=entry.get("ID", "")), unitType="Metadata Unit")
        for entry in objects
    ]
    kind = f"esa/safe/sentinel/1.1/sentinel-2/msi/archive_{product.level.lower()}_user_product"
    spaces = {"xmlns__safe": "http://www.esa.int/safe/sentinel/1.1"}
    write_xml(folder / "manifest.safe", manifest(kind, spaces, units, metadata, objects))
