"""Annotation of a Sentinel-1 image: `annotation/s1a-iw-grd-vv-...-001.xml`."""

import numpy as np

from jepa_core.testing.geometry import HEADING_DEG, Swath
from jepa_core.testing.sentinel1_product import LINE_SECONDS, Sentinel1Product, iso
from jepa_core.testing.sentinel1_radiometry import SUB_SWATHS, Radiometry
from jepa_core.testing.xml import Element, node

_GRID = (10, 21)
"""Lines and samples of the geolocation grid."""

_NEAR_S, _FAR_S = 5.343315555380221e-03, 6.419550235925712e-03
"""Two-way time to the near and the far end of a whole swath."""


def header(product: Sentinel1Product, polarisation: str) -> Element:
    """`adsHeader`, the same in every annotation of a polarisation."""
    return node(
        "adsHeader",
        node("missionId", product.platform),
        node("productType", "GRD"),
        node("polarisation", polarisation),
        node("mode", "IW"),
        node("swath", "IW"),
        node("startTime", iso(product.time)),
        node("stopTime", iso(product.stop)),
        node("absoluteOrbitNumber", product.absolute_orbit),
        node("missionDataTakeId", product.datatake),
        node("imageNumber", "001" if polarisation == "VV" else "002"),
    )


def grid_points(swath: Swath) -> tuple[list[int], list[int]]:
    """Lines and samples of the geolocation grid, the last ones of the image included."""
    lines, samples = (
        [round(float(v)) for v in np.linspace(0, count - 1, min(points, count))]
        for points, count in zip(_GRID, (swath.lines, swath.samples), strict=True)
    )
    return lines, samples


def annotation(
    product: Sentinel1Product, swath: Swath, radiometry: Radiometry, polarisation: str, height_m: float
) -> Element:
    """The root element, with what readers of ground range need of it.

    Args:
        product: what it is of.
        swath: where its pixels lie.
        radiometry: its angles and sub-swaths.
        polarisation: `VV` or `VH`.
        height_m: of all the ground, metres above the ellipsoid.
    """
    return node(
        "product",
        header(product, polarisation),
        node("qualityInformation", node("productQualityIndex", _exact(0))),
        _general(product),
        node("imageAnnotation", _image(product, swath, radiometry), _processing()),
        _geolocation(product, swath, radiometry, height_m),
        _merging(product, radiometry),
    )


def _general(product: Sentinel1Product) -> Element:
    return node(
        "generalAnnotation",
        node(
            "productInformation",
            node("pass", product.direction.capitalize()),
            node("timelinessCategory", "Fast-24h"),
            node("platformHeading", _exact(HEADING_DEG[product.direction])),
            node("projection", "Ground Range"),
            node("rangeSamplingRate", _exact(6.434523812571428e07)),
            node("radarFrequency", _exact(5.405000454334350e09)),
            node("azimuthSteeringRate", _exact(1.590368784)),
        ),
    )


def _image(product: Sentinel1Product, swath: Swath, radiometry: Radiometry) -> Element:
    middle = radiometry.incidence_deg(np.array([(swath.samples - 1) / 2]))
    return node(
        "imageInformation",
        node("productFirstLineUtcTime", iso(product.time)),
        node("productLastLineUtcTime", iso(product.stop)),
        node("productComposition", "Slice"),
        node("sliceNumber", 1),
        node("slantRangeTime", _exact(_NEAR_S)),
        node("pixelValue", "Detected"),
        node("outputPixels", "16 bit Unsigned Integer"),
        node("rangePixelSpacing", f"{swath.spacing_m:.6e}"),
        node("azimuthPixelSpacing", f"{swath.spacing_m:.6e}"),
        node("azimuthTimeInterval", _exact(LINE_SECONDS)),
        node("azimuthFrequency", _exact(4.864863102995529e02)),
        node("numberOfSamples", swath.samples),
        node("numberOfLines", swath.lines),
        node("zeroDopMinusAcqTime", _exact(0)),
        node("incidenceAngleMidSwath", _exact(float(middle[0]))),
    )


def _processing() -> Element:
    return node(
        "processingInformation",
        node("srgrConversionApplied", "true"),
        node("detectionPerformed", "true"),
        node("thermalNoiseCorrectionPerformed", "false"),
        node("ellipsoidName", "WGS84"),
        node("ellipsoidSemiMajorAxis", _exact(6378137)),
        node("ellipsoidSemiMinorAxis", _exact(6356752.314245)),
    )


def _geolocation(product: Sentinel1Product, swath: Swath, radiometry: Radiometry, height_m: float) -> Element:
    lines, samples = grid_points(swath)
    points = []
    for line in lines:
        longitudes, latitudes = swath.lonlat(np.full(len(samples), float(line)), np.array(samples, dtype=float))
        angles = radiometry.incidence_deg(np.array(samples))
        for sample, longitude, latitude, angle in zip(samples, longitudes, latitudes, angles, strict=True):
            part = sample / (swath.samples - 1)
            points.append(
                node(
                    "geolocationGridPoint",
                    node("azimuthTime", iso(product.line_time(line))),
                    node("slantRangeTime", _exact(_NEAR_S + (_FAR_S - _NEAR_S) * part)),
                    node("line", line),
                    node("pixel", sample),
                    node("latitude", _exact(latitude)),
                    node("longitude", _exact(longitude)),
                    node("height", _exact(height_m)),
                    node("incidenceAngle", _exact(angle)),
                    node("elevationAngle", _exact(27.42 + 12.98 * part)),
                )
            )
    return node("geolocationGrid", node("geolocationGridPointList", *points, count=str(len(points))))


def _merging(product: Sentinel1Product, radiometry: Radiometry) -> Element:
    merges = []
    for name, (first, last) in zip(SUB_SWATHS, radiometry.sub_swaths, strict=True):
        bounds = node(
            "swathBounds",
            node("azimuthTime", iso(product.time)),
            node("firstAzimuthLine", 0),
            node("firstRangeSample", first),
            node("lastAzimuthLine", radiometry.lines - 1),
            node("lastRangeSample", last),
        )
        merges.append(node("swathMerge", node("swath", name), node("swathBoundsList", bounds, count="1")))
    return node("swathMerging", node("swathMergeList", *merges, count="3"))


def _exact(value: float) -> str:
    return f"{value:.15e}"
