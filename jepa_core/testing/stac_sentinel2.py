"""Sentinel-2 Level-2A as catalogues hold it: a STAC item and a cloud-optimised GeoTIFF for each band."""

from datetime import datetime, timedelta
from pathlib import Path

from jepa_core.testing.cog import write_cog
from jepa_core.testing.place import PixelGrid
from jepa_core.testing.sentinel2_pixels import NATIVE_M, Sight, SwathEdge, classification, images
from jepa_core.testing.sentinel2_product import Sentinel2Product
from jepa_core.testing.stac_dialects import Dialect, EarthSearch, PlanetaryComputer
from jepa_core.testing.stac_item import item, write_item
from jepa_core.testing.world import World

DIALECTS: dict[str, Dialect] = {"earth-search": EarthSearch(), "planetary-computer": PlanetaryComputer()}
"""How catalogues name and describe the same images."""


def write_sentinel2_stac(
    root: Path,
    world: World,
    *,
    dialect: str = "earth-search",
    stac_version: str = "1.0.0",
    tile: str = "33UUP",
    epsg: int = 32633,
    left: float,
    top: float,
    size_m: float = 12_000.0,
    time: datetime,
    baseline: str = "05.09",
    relative_orbit: int = 79,
    platform: str = "S2A",
    processed: datetime | None = None,
    offset_in_pixels: bool | None = None,
    says_applied: bool | None = None,
    stated_offset: float | None = None,
    raster_m: float | None = None,
    edge: SwathEdge | None = None,
    clouds: float = 0.0,
    sky: int = 0,
) -> Path:
    """Writes one item in a folder of its own, with its rasters: point samples of the world at pixel centres.

    Args:
        root: folder that gets the item's folder.
        world: what is seen.
        dialect: `earth-search` or `planetary-computer`.
        stac_version: `1.0.0` or `1.1.0`.
        tile: MGRS name; it need not be that of the place.
        epsg: code of the UTM zone.
        left: west edge, metres.
        top: north edge, metres.
        size_m: side, metres; a multiple of 60.
        time: start of the datatake, UTC.
        baseline: processing baseline.
        relative_orbit: 1 to 143.
        platform: `S2A`, `S2B` or `S2C`.
        processed: when it was processed; six hours after `time` by default.
        offset_in_pixels: whether 1000 is added to DN; by default as the catalogue does it: since baseline 04.00
            yes in planetary-computer, and no in earth-search, which takes it out again.
        says_applied: `earthsearch:boa_offset_applied`; the truth by default. Some real items say otherwise.
        stated_offset: offset of reflectance in `raster:bands`; by default -0.1 since baseline 04.00, which real
            items of earth-search state also where it was taken out of the pixels.
        raster_m: pixel of all rasters, where it is not that of the item (as in reduced copies).
        edge: slanting edge of what was measured.
        clouds: share of the world under clouds, in the classification alone.
        sky: seed of the clouds.

    Returns:
        The item's JSON file.
    """
    style = DIALECTS[dialect]
    done = processed or time + timedelta(hours=6)
    product = Sentinel2Product(tile, epsg, left, top, size_m, time, "L2A", baseline, relative_orbit, platform, done)
    inside = style.keeps_offset if offset_in_pixels is None else offset_in_pixels
    sight = Sight(product.offset_dn if inside else 0, edge, clouds, sky)
    applied = product.offset_dn > 0 and not inside if says_applied is None else says_applied
    stated = -product.offset_dn / 10_000 if stated_offset is None else stated_offset

    folder = root / style.identity(product)
    assets = {}
    for resolution in (10, 20, 60):
        said = PixelGrid.square(epsg, left, top, size_m, resolution)
        grid = said if raster_m is None else PixelGrid.square(epsg, left, top, size_m, raster_m)
        bands = tuple(band for band in product.bands if NATIVE_M[band] == resolution)
        pixels = images(world, grid, bands, sight)
        for band in bands:
            name = style.file(product, band, resolution)
            write_cog(folder / name, pixels[band], grid, nodata=0)
            assets[style.key(band)] = style.asset(band, name, said, stated)
        if resolution == 20:
            name = style.file(product, "SCL", resolution)
            write_cog(folder / name, classification(world, grid, sight), grid, nodata=0)
            assets[style.key("SCL")] = style.asset("SCL", name, said, stated)
    content = item(
        style.identity(product),
        "sentinel-2-l2a",
        PixelGrid.square(epsg, left, top, size_m, 60),
        style.properties(product, applied),
        dict(sorted(assets.items())),
    )
    return write_item(folder, content, stac_version)
