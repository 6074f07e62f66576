"""`MTD_TL.xml` and `MTD_DS.xml`: metadata of a Sentinel-2 tile and of its datastrip."""

from jepa_core.testing.sentinel2_metadata import datatake
from jepa_core.testing.sentinel2_product import Sentinel2Product, iso
from jepa_core.testing.xml import Element, node

_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def tile_metadata(product: Sentinel2Product) -> Element:
    """Root element of `MTD_TL.xml`."""
    level = _level(product)
    space = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_{level}_Tile_Metadata.xsd"
    zone, side = product.epsg % 100, "N" if product.epsg < 32700 else "S"
    sizes, positions = [], []
    for resolution in (10, 20, 60):
        pixels = round(product.size_m / resolution)
        sizes.append(node("Size", node("NROWS", pixels), node("NCOLS", pixels), resolution=str(resolution)))
        positions.append(
            node(
                "Geoposition",
                node("ULX", f"{product.left:.0f}"),
                node("ULY", f"{product.top:.0f}"),
                node("XDIM", resolution),
                node("YDIM", -resolution),
                resolution=str(resolution),
            )
        )
    geocoding = node(
        "Tile_Geocoding",
        node("HORIZONTAL_CS_NAME", f"WGS84 / UTM zone {zone}{side}"),
        node("HORIZONTAL_CS_CODE", f"EPSG:{product.epsg}"),
        *sizes,
        *positions,
        metadataLevel="Brief",
    )
    sun = node(
        "Mean_Sun_Angle",
        node("ZENITH_ANGLE", "35.0470008", unit="deg"),
        node("AZIMUTH_ANGLE", "152.362088141257", unit="deg"),
    )
    return node(
        f"n1:{level}_Tile_ID",
        node(
            "n1:General_Info",
            node("TILE_ID", product.tile_id, metadataLevel="Brief"),
            node("DATASTRIP_ID", product.datastrip_id, metadataLevel="Standard"),
            node("DOWNLINK_PRIORITY", "NOMINAL", metadataLevel="Standard"),
            node("SENSING_TIME", iso(product.tile_time), metadataLevel="Standard"),
            node(
                "Archiving_Info",
                node("ARCHIVING_CENTRE", "2APS"),
                node("ARCHIVING_TIME", iso(product.processed)),
                metadataLevel="Expertise",
            ),
        ),
        node("n1:Geometric_Info", geocoding, node("Tile_Angles", sun, metadataLevel="Standard")),
        xmlns__n1=space,
        xmlns__xsi=_XSI,
        xsi__schemaLocation=space,
    )


def datastrip_metadata(product: Sentinel2Product) -> Element:
    """Root element of `MTD_DS.xml`, the few fields that name it."""
    level = _level(product)
    space = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_{level}_Datastrip_Metadata.xsd"
    return node(
        f"n1:{level}_DataStrip_ID",
        node(
            "n1:General_Info",
            datatake("Datatake_Info", product),
            node(
                "Datastrip_Time_Info",
                node("DATASTRIP_SENSING_START", iso(product.strip_time)),
                node("DATASTRIP_SENSING_STOP", iso(product.tile_time)),
            ),
            node("Processing_Info", node("PROCESSING_BASELINE", product.baseline)),
        ),
        xmlns__n1=space,
        xmlns__xsi=_XSI,
        xsi__schemaLocation=space,
    )


def _level(product: Sentinel2Product) -> str:
    return "Level-2A" if product.level == "L2A" else "Level-1C"
