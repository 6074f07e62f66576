"""Calibration and noise annotation of a Sentinel-1 image: `annotation/calibration/*.xml`."""

from collections.abc import Iterable

from jepa_core.testing.sentinel1_annotation import header
from jepa_core.testing.sentinel1_product import Sentinel1Product, iso
from jepa_core.testing.sentinel1_radiometry import SUB_SWATHS, Radiometry
from jepa_core.testing.xml import Element, node


def calibration_annotation(product: Sentinel1Product, radiometry: Radiometry, polarisation: str) -> Element:
    """Root element of `calibration-*.xml`."""
    vectors = [
        node(
            "calibrationVector",
            *_vector_head(product, radiometry, int(line)),
            *(
                _numbers(kind, radiometry.calibration_nodes(kind, int(line)))
                for kind in ("sigmaNought", "betaNought", "gamma", "dn")
            ),
        )
        for line in radiometry.vector_lines
    ]
    return node(
        "calibration",
        header(product, polarisation),
        node("calibrationInformation", node("absoluteCalibrationConstant", "1.000000e+00")),
        node("calibrationVectorList", *vectors, count=str(len(vectors))),
    )


def noise_annotation(product: Sentinel1Product, radiometry: Radiometry, polarisation: str) -> Element:
    """Root element of `noise-*.xml`, in the form of the radiometry's kind of noise."""
    old = radiometry.noise_kind == "old"
    tag, lut = ("noiseVector", "noiseLut") if old else ("noiseRangeVector", "noiseRangeLut")
    vectors = [
        node(
            tag,
            *_vector_head(product, radiometry, int(line)),
            _numbers(lut, radiometry.range_noise_nodes(polarisation, int(line))),
        )
        for line in radiometry.vector_lines
    ]
    across = node(f"{tag}List", *vectors, count=str(len(vectors)))
    return node("noise", header(product, polarisation), across, None if old else _azimuth_noise(radiometry))


def _azimuth_noise(radiometry: Radiometry) -> Element:
    vectors = []
    for i, (name, (first, last)) in enumerate(zip(SUB_SWATHS, radiometry.sub_swaths, strict=True)):
        vectors.append(
            node(
                "noiseAzimuthVector",
                node("swath", name),
                node("firstAzimuthLine", 0),
                node("firstRangeSample", first),
                node("lastAzimuthLine", radiometry.lines - 1),
                node("lastRangeSample", last),
                _numbers("line", radiometry.azimuth_lines),
                _numbers("noiseAzimuthLut", radiometry.azimuth_noise_nodes(i)),
            )
        )
    return node("noiseAzimuthVectorList", *vectors, count=str(len(vectors)))


def _vector_head(product: Sentinel1Product, radiometry: Radiometry, line: int) -> list[Element]:
    return [
        node("azimuthTime", iso(product.line_time(line))),
        node("line", line),
        _numbers("pixel", radiometry.pixels),
    ]


def _numbers(tag: str, values: Iterable[float]) -> Element:
    """A list in one element, with its length; whole numbers as they are, others to seven digits."""
    listed = list(values)
    text = " ".join(f"{v:.6e}" if isinstance(v, float) else str(v) for v in listed)
    return node(tag, text, count=str(len(listed)))
