"""`MTD_MSIL2A.xml` and `MTD_MSIL1C.xml`: metadata of a whole Sentinel-2 product.

After the Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), issue 14.
"""

from jepa_core.testing.land_cover import BANDS
from jepa_core.testing.sentinel2_pixels import NATIVE_M
from jepa_core.testing.sentinel2_product import Sentinel2Product, iso
from jepa_core.testing.xml import Element, node

_WAVELENGTH_NM = (442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4)
_IRRADIANCE = (
    1884.69,
    1959.66,
    1823.24,
    1512.06,
    1424.64,
    1287.61,
    1162.08,
    1041.63,
    955.32,
    812.92,
    367.15,
    245.59,
    85.25,
)
_SCL = (
    "NODATA",
    "SATURATED_DEFECTIVE",
    "DARK_FEATURE_SHADOW",
    "CLOUD_SHADOW",
    "VEGETATION",
    "NOT_VEGETATED",
    "WATER",
    "UNCLASSIFIED",
    "CLOUD_MEDIUM_PROBA",
    "CLOUD_HIGH_PROBA",
    "THIN_CIRRUS",
    "SNOW_ICE",
)


def product_metadata(
    product: Sentinel2Product, image_files: list[str], footprint: list[tuple[float, float]]
) -> Element:
    """The root element.

    Args:
        product: what it is of.
        image_files: paths inside the product, without their ending.
        footprint: corners, longitude and latitude.
    """
    level = "Level-2A" if product.level == "L2A" else "Level-1C"
    space = f"https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_{level}.xsd"
    positions = " ".join(f"{latitude:.12f} {longitude:.12f}" for longitude, latitude in [*footprint, footprint[0]])
    return node(
        f"n1:{level}_User_Product",
        node(
            "n1:General_Info",
            _product_info(product, level, image_files),
            _image_characteristics(product),
        ),
        node(
            "n1:Geometric_Info",
            node(
                "Product_Footprint",
                node("Product_Footprint", node("Global_Footprint", node("EXT_POS_LIST", positions + " "))),
                node("RASTER_CS_TYPE", "POINT"),
                node("PIXEL_ORIGIN", 1),
            ),
            node("Coordinate_Reference_System", node("GEO_TABLES", "EPSG", version="1")),
        ),
        node("n1:Quality_Indicators_Info", node("Cloud_Coverage_Assessment", "0.0")),
        xmlns__n1=space,
        xmlns__xsi="http://www.w3.org/2001/XMLSchema-instance",
        xsi__schemaLocation=space,
    )


def _product_info(product: Sentinel2Product, level: str, image_files: list[str]) -> Element:
    granule = node(
        "Granule",
        *(node("IMAGE_FILE", path) for path in image_files),
        datastripIdentifier=product.datastrip_id,
        granuleIdentifier=product.tile_id,
        imageFormat="JPEG2000",
    )
    return node(
        "Product_Info",
        node("PRODUCT_START_TIME", iso(product.time)),
        node("PRODUCT_STOP_TIME", iso(product.time)),
        node("PRODUCT_URI", f"{product.name}.SAFE"),
        node("PROCESSING_LEVEL", level),
        node("PRODUCT_TYPE", f"S2MSI{product.level[1:]}"),
        node("PROCESSING_BASELINE", product.baseline),
        node("PRODUCT_DOI", f"https://doi.org/10.5270/S2_-{'znk9xsj' if level == 'Level-2A' else '742ikth'}")
        if float(product.baseline) >= 5
        else None,
        node("GENERATION_TIME", iso(product.processed)),
        node("PREVIEW_IMAGE_URL", "Not applicable"),
        node("PREVIEW_GEO_INFO", "Not applicable"),
        datatake("Datatake", product),
        node("Query_Options", node("PRODUCT_FORMAT", "SAFE_COMPACT"), completeSingleTile="true"),
        node("Product_Organisation", node("Granule_List", granule)),
    )


def _image_characteristics(product: Sentinel2Product) -> Element:
    special = [
        node("Special_Values", node("SPECIAL_VALUE_TEXT", text), node("SPECIAL_VALUE_INDEX", index))
        for text, index in (("NODATA", 0), ("SATURATED", 65535))
    ]
    order = node("Image_Display_Order", *(node(f"{c}_CHANNEL", i) for c, i in (("RED", 3), ("GREEN", 2), ("BLUE", 1))))
    irradiance = [node("SOLAR_IRRADIANCE", value, bandId=str(i), unit="W/m²/µm") for i, value in enumerate(_IRRADIANCE)]
    conversion = node("Reflectance_Conversion", node("U", 0.9737), node("Solar_Irradiance_List", *irradiance))
    spectral = node("Spectral_Information_List", *(_spectral_information(i, band) for i, band in enumerate(BANDS)))
    classes = None
    if product.level == "L2A":
        entries = [
            node(
                "Scene_Classification_ID",
                node("SCENE_CLASSIFICATION_TEXT", f"SC_{text}"),
                node("SCENE_CLASSIFICATION_INDEX", index),
            )
            for index, text in enumerate(_SCL)
        ]
        classes = node("Scene_Classification_List", *entries)
    return node("Product_Image_Characteristics", *special, order, *_scaling(product), conversion, spectral, classes)


def _scaling(product: Sentinel2Product) -> list[Element]:
    """How stored values become reflectance: (DN + offset) / quantification."""
    kind = "BOA" if product.level == "L2A" else "RADIO"
    offsets = [node(f"{kind}_ADD_OFFSET", -product.offset_dn, band_id=str(i)) for i in range(len(BANDS))]
    if product.level == "L2A":
        quantification = node(
            "QUANTIFICATION_VALUES_LIST",
            node("BOA_QUANTIFICATION_VALUE", 10000, unit="none"),
            node("AOT_QUANTIFICATION_VALUE", "1000.0", unit="none"),
            node("WVP_QUANTIFICATION_VALUE", "1000.0", unit="cm"),
        )
        listed = node("BOA_ADD_OFFSET_VALUES_LIST", *offsets)
    else:
        quantification = node("QUANTIFICATION_VALUE", 10000, unit="none")
        listed = node("Radiometric_Offset_List", *offsets)
    return [quantification, listed] if product.offset_dn else [quantification]


def _spectral_information(index: int, band: str) -> Element:
    centre = _WAVELENGTH_NM[index]
    wavelength = node(
        "Wavelength",
        node("MIN", round(centre - 15), unit="nm"),
        node("MAX", round(centre + 15), unit="nm"),
        node("CENTRAL", centre, unit="nm"),
    )
    # ESA writes B1, not B01, in this one place.
    physical = band.replace("B0", "B")
    resolution = node("RESOLUTION", NATIVE_M[band])
    return node("Spectral_Information", resolution, wavelength, bandId=str(index), physicalBand=physical)


def datatake(tag: str, product: Sentinel2Product) -> Element:
    """The acquisition that the product is of, under the name that it bears in a file."""
    return node(
        tag,
        node("SPACECRAFT_NAME", f"Sentinel-{product.platform[1:]}"),
        node("DATATAKE_TYPE", "INS-NOBS"),
        node("DATATAKE_SENSING_START", iso(product.time)),
        node("SENSING_ORBIT_NUMBER", product.relative_orbit),
        node("SENSING_ORBIT_DIRECTION", "DESCENDING"),
        datatakeIdentifier=product.datatake_id,
    )
