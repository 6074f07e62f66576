"""Bad Sentinel-1 products in ESA's format."""

import numpy as np
import pytest

from jepa_core.sensors import SENTINEL1
from tests.jepa_core.faults.scenes import GOOD, edit, only, repaint, s1_safe, set_aside_alone, shorten, spoilt


def swap(folder):
    """Exchanges the calibration files of both polarisations."""
    a, b = (only(folder, f"calibration-*-{band}-*") for band in ("vv", "vh"))
    texts = a.read_bytes(), b.read_bytes()
    b.write_bytes(texts[0])
    a.write_bytes(texts[1])


S1_FOLDER = {
    "truncated TIFF": (lambda p: shorten(only(p, "*-vh-*.tiff")), r"-vh-\S+\.tiff cannot be read as a raster"),
    "TIFF of zero bytes": (lambda p: only(p, "*-vh-*.tiff").write_bytes(b""), r"-vh-\S+\.tiff cannot be read"),
    "missing band": (lambda p: only(p, "*-vh-*.tiff").unlink(), r"\.SAFE has no measurement of band VH"),
    "no manifest": (lambda p: (p / "manifest.safe").unlink(), r"\.SAFE has no file manifest\.safe"),
    "broken manifest": (lambda p: shorten(p / "manifest.safe"), r"manifest\.safe is not readable XML"),
    "no annotation": (
        lambda p: only(p / "annotation", "s1a-*-vv-*.xml").unlink(),
        r"\.SAFE has no annotation of band VV",
    ),
    "broken annotation": (
        lambda p: shorten(only(p, "s1a-*-vv-*.xml")),
        r"annotation of \S+-vv-\S+ is not readable XML",
    ),
    "no calibration": (lambda p: only(p, "calibration-*-vv-*").unlink(), r"\.SAFE has no calibration file of band VV"),
    "broken calibration": (lambda p: shorten(only(p, "calibration-*-vv-*")), r"calibration of \S+-vv-\S+"),
    "calibration of NaN": (
        lambda p: edit(only(p, "calibration-*-vv-*"), "(<sigmaNought[^>]*>)[^ <]+", r"\1nan"),
        r"calibration of \S+-vv-\S+",
    ),
    "swapped bands": (lambda p: swap(p), r"calibration of \S+ is of V[VH], the image of V[VH]"),
    "no time": (
        lambda p: edit(only(p, "s1a-*-vv-*.xml"), "<startTime>.*?</startTime>", ""),
        r"-vv-\S+ has no .*startTime",
    ),
    "a place off the Earth": (
        lambda p: edit(only(p, "s1a-*-vv-*.xml"), "<latitude>[^<]+", "<latitude>123"),
        r"annotation of \S+-vv-\S+: geolocation points lie off the Earth",
    ),
    "all nodata": (
        lambda p: repaint(only(p, "*-vv-*.tiff"), np.zeros_like),
        r"S1A_IW_GRDH\w+ has no cell with 0\.05 of its pixels measured",
    ),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bad_sentinel1_products_are_set_aside_alone(bench):
    s1_safe(bench.root, GOOD)
    set_aside_alone(bench, SENTINEL1, spoilt(bench, s1_safe, S1_FOLDER))
