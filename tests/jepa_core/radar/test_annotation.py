from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from jepa_core.archive.scene import ArchiveError
from jepa_core.radar.annotation import read_annotation
from tests.jepa_core.radar.products import Image

SAFE = Path(__file__).parents[4] / "shared" / "data" / "scenes" / "safe"


@pytest.mark.parametrize("ascending", [True, False])
def test_an_annotation_says_size_time_and_place(ascending):
    image = Image(ascending=ascending, relief_m=100)
    read = read_annotation(image.annotation(), "a.xml")
    assert (read.polarisation, read.lines, read.samples) == ("VV", 900, 1300)
    assert read.start == datetime(2021, 4, 1, 5, 26, 23, 794457, tzinfo=UTC)
    assert read.stop == datetime(2021, 4, 1, 5, 26, 48, 793373, tzinfo=UTC)
    assert read.orbit_pass == ("ascending" if ascending else "descending")
    assert not read.noise_removed
    lines, samples = image.nodes
    np.testing.assert_array_equal(read.grid.line, np.broadcast_to(lines[:, None], (5, 6)))
    np.testing.assert_array_equal(read.grid.pixel, np.broadcast_to(samples, (5, 6)))
    longitude, latitude = image.ground()
    np.testing.assert_allclose(read.grid.longitude, longitude)
    np.testing.assert_allclose(read.grid.latitude, latitude)
    np.testing.assert_allclose(read.grid.height, image.heights, atol=1e-3)


def test_noise_that_the_processor_removed_is_known():
    assert read_annotation(Image().annotation(noise_removed="true"), "a.xml").noise_removed


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not readable XML"),
        (b"<product/>", "has no adsHeader/productType"),
        (Image().annotation(mode="EW"), "mode is 'EW'; only IW is read"),
        (Image().annotation(kind="SLC"), "productType is 'SLC'; only GRD is read"),
        (Image().annotation(drop=[(2, 3)]), "29 geolocation points do not fill 5 lines x 6 pixels"),
        (Image().annotation(drop=[(i, j) for i in range(1, 5) for j in range(6)]), "1 x 6 points; 2 x 2 are the least"),
        (Image().annotation(drop=[(i, j) for i in range(5) for j in range(6)]), "0 x 0 points"),
        (Image().annotation().replace(b"<pixel>0<", b"<pixel>7<", 1), "do not fill"),
        (Image().annotation().replace(b"<latitude>", b"<latitude>nan</latitude><latitude>", 1), "not a number"),
        (Image().annotation().replace(b"Descending", b"Sideways"), "pass is 'sideways'"),
        (Image().annotation().replace(b"2021-04", b"2021-44"), "not a time"),
        (Image().annotation().replace(b">900<", b">9e300<"), "numberOfLines is 9e\\+300"),
        (Image(polarisation="XX").annotation(), "polarisation is 'XX'"),
    ],
)
def test_what_is_no_annotation_of_an_iw_grd_image_is_refused_by_name(data, says):
    with pytest.raises(ArchiveError, match=says) as error:
        read_annotation(data, "a.xml")
    assert "a.xml" in str(error.value)


def test_the_real_annotation_is_read():
    found = sorted(SAFE.glob("*.SAFE/annotation/*.xml"))
    if not found:
        pytest.skip(f"no real product at {SAFE}")
    for path, polarisation in zip(found, ["VH", "VV"], strict=True):
        read = read_annotation(path.read_bytes(), path.name)
        assert (read.polarisation, read.lines, read.samples) == (polarisation, 16685, 25788)
        assert read.orbit_pass == "descending"
        assert read.grid.line.shape == (10, 21)
        assert read.grid.height.max() > 2000
