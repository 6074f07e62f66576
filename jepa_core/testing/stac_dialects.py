"""How two catalogues write the same Sentinel-2 scene down.

After items of https://earth-search.aws.element84.com/v1 and https://planetarycomputer.microsoft.com/api/stac/v1,
collection `sentinel-2-l2a`.
"""

from typing import Protocol

from jepa_core.testing.place import PixelGrid
from jepa_core.testing.sentinel2_product import Sentinel2Product, compact
from jepa_core.testing.stac_item import COG_TYPE, Json, position, utc

_COMMON = {
    # key in earth-search, common name, description, centre and width in micrometres
    "B01": ("coastal", "coastal", "Coastal aerosol (band 1)", 0.443, 0.027),
    "B02": ("blue", "blue", "Blue (band 2)", 0.49, 0.098),
    "B03": ("green", "green", "Green (band 3)", 0.56, 0.045),
    "B04": ("red", "red", "Red (band 4)", 0.665, 0.038),
    "B05": ("rededge1", "rededge", "Red edge 1 (band 5)", 0.704, 0.019),
    "B06": ("rededge2", "rededge", "Red edge 2 (band 6)", 0.74, 0.018),
    "B07": ("rededge3", "rededge", "Red edge 3 (band 7)", 0.783, 0.028),
    "B08": ("nir", "nir", "NIR 1 (band 8)", 0.842, 0.145),
    "B8A": ("nir08", "nir08", "NIR 2 (band 8A)", 0.865, 0.033),
    "B09": ("nir09", "nir09", "NIR 3 (band 9)", 0.945, 0.026),
    "B11": ("swir16", "swir16", "SWIR 1 (band 11)", 1.61, 0.143),
    "B12": ("swir22", "swir22", "SWIR 2 (band 12)", 2.19, 0.242),
}


class Dialect(Protocol):
    """One catalogue's way."""

    keeps_offset: bool
    """Whether its pixels still hold the 1000 that ESA adds since baseline 04.00."""

    def identity(self, product: Sentinel2Product) -> str:
        """Id of the item."""
        ...

    def key(self, band: str) -> str:
        """Key of the asset of a band, or of `SCL`."""
        ...

    def file(self, product: Sentinel2Product, band: str, resolution_m: int) -> str:
        """Name of the raster."""
        ...

    def asset(self, band: str, href: str, grid: PixelGrid, offset: float) -> Json:
        """The asset of a band, or of `SCL`."""
        ...

    def properties(self, product: Sentinel2Product, applied: bool) -> Json:
        """Fields of the item."""
        ...


class EarthSearch:
    """Element 84's catalogue on AWS."""

    keeps_offset = False

    def identity(self, product: Sentinel2Product) -> str:
        """See `Dialect`."""
        return f"{product.platform}_{product.tile}_{product.time:%Y%m%d}_0_L2A"

    def key(self, band: str) -> str:
        """See `Dialect`."""
        return _COMMON[band][0] if band in _COMMON else band.lower()

    def file(self, product: Sentinel2Product, band: str, resolution_m: int) -> str:
        """See `Dialect`."""
        return f"{band}.tif"

    def asset(self, band: str, href: str, grid: PixelGrid, offset: float) -> Json:
        """See `Dialect`."""
        resolution = int(grid.resolution_m)
        head: Json = {"href": href, "type": COG_TYPE}
        raster: Json = {"nodata": 0, "data_type": "uint8", "spatial_resolution": resolution}
        if band in _COMMON:
            key, common, text, centre, width = _COMMON[band]
            eo: Json = {"name": key, "common_name": common, "description": text}
            eo |= {"center_wavelength": centre, "full_width_half_max": width}
            head |= {"title": f"{text} - {resolution}m", "eo:bands": [eo], "gsd": resolution}
            raster |= {"data_type": "uint16", "bits_per_sample": 15, "scale": 0.0001, "offset": offset}
        else:
            head["title"] = "Scene classification map (SCL)"
        return head | position(grid) | {"raster:bands": [raster], "roles": ["data", "reflectance"]}

    def properties(self, product: Sentinel2Product, applied: bool) -> Json:
        """See `Dialect`."""
        tile = product.tile
        return {
            "created": utc(product.processed),
            "platform": f"sentinel-{product.platform[1:].lower()}",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "mgrs:utm_zone": int(tile[:2]),
            "mgrs:latitude_band": tile[2],
            "mgrs:grid_square": tile[3:],
            "grid:code": f"MGRS-{tile}",
            "s2:product_type": "S2MSI2A",
            **_identifiers(product),
            "datetime": utc(product.tile_time),
            "s2:sequence": "0",
            "earthsearch:boa_offset_applied": applied,
            "updated": utc(product.processed),
        }


class PlanetaryComputer:
    """Microsoft's catalogue."""

    keeps_offset = True

    def identity(self, product: Sentinel2Product) -> str:
        """See `Dialect`."""
        parts = product.name.split("_")
        return "_".join(part for part in parts if not part.startswith("N"))

    def key(self, band: str) -> str:
        """See `Dialect`."""
        return band

    def file(self, product: Sentinel2Product, band: str, resolution_m: int) -> str:
        """See `Dialect`."""
        return f"T{product.tile}_{compact(product.time)}_{band}_{resolution_m}m.tif"

    def asset(self, band: str, href: str, grid: PixelGrid, offset: float) -> Json:
        """See `Dialect`; it says nothing of scale and offset."""
        resolution = int(grid.resolution_m)
        place = position(grid) | {"proj:bbox": list(grid.bounds)}
        head: Json = {"href": href, "type": COG_TYPE}
        if band not in _COMMON:
            return head | {"title": "Scene classification map (SCL)", **place, "gsd": resolution, "roles": ["data"]}
        _, common, text, centre, width = _COMMON[band]
        eo: Json = {"name": band, "common_name": common, "description": text}
        eo |= {"center_wavelength": centre, "full_width_half_max": width}
        return head | {
            "title": f"{text} - {resolution}m",
            **place,
            "gsd": resolution,
            "eo:bands": [eo],
            "roles": ["data"],
        }

    def properties(self, product: Sentinel2Product, applied: bool) -> Json:
        """See `Dialect`; it does not speak of the offset."""
        return {
            "datetime": utc(product.time),
            "platform": f"Sentinel-{product.platform[1:]}",
            "constellation": "Sentinel 2",
            "instruments": ["msi"],
            "sat:orbit_state": "descending",
            "sat:relative_orbit": product.relative_orbit,
            "s2:mgrs_tile": product.tile,
            "s2:product_type": "S2MSI2A",
            **_identifiers(product),
        }


def _identifiers(product: Sentinel2Product) -> Json:
    return {
        "s2:processing_baseline": product.baseline,
        "s2:product_uri": f"{product.name}.SAFE",
        "s2:generation_time": utc(product.processed),
        "s2:datatake_id": product.datatake_id,
        "s2:datatake_type": "INS-NOBS",
        "s2:datastrip_id": product.datastrip_id,
        "s2:granule_id": product.tile_id,
    }
