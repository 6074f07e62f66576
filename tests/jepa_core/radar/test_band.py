from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jepa_core.archive.scene import ArchiveError
from jepa_core.radar.band import open_view, read_radar_band
from jepa_core.radar.view import FLOOR_DB, interpolated
from tests.jepa_core.radar.products import Image
from tests.jepa_core.radar.test_geocoding import SAFE, frame_around

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

EPSG = 32632


def divisor(line, pixel):
    return 500.0 + 0.05 * line + 0.03 * pixel


def thermal(line, pixel):
    return 400.0 + 0.1 * line + 0.05 * pixel


def slope(x, y, middle):
    """Decibels that rise to the east and, half as fast, to the north: one a kilometre."""
    return -12 + (x - middle[0]) / 1000 + (y - middle[1]) / 2000


def painted(image, noise=True, epsg=EPSG):
    """Amplitudes of an image whose sigma nought is `slope`, and the middle that it is about."""
    line, sample = np.meshgrid(np.arange(image.lines), np.arange(image.samples), indexing="ij")
    forward = image.reference(epsg)
    middle = forward([[image.lines / 2, image.samples / 2]])[0]
    x, y = np.moveaxis(forward(np.stack([line, sample], axis=-1)), -1, 0)
    power = 10 ** (slope(x, y, middle) / 10) * divisor(line, sample) ** 2
    if noise:
        power = power + thermal(line, sample)
    # Finer than whole numbers is not to be had in uint16; large values make rounding small.
    return np.rint(np.sqrt(power)).astype("uint16"), middle


def band_of(image, path, amplitudes, noise=True, **annotation):
    vectors = [(line, np.arange(0, image.samples + 40, 40)) for line in (-50, 300, 700, 920)]
    calibration = image.calibration(divisor, vectors)
    noise = image.new_noise(thermal) if noise else None
    return read_radar_band(
        image.write(path, amplitudes), image.annotation(**annotation), calibration, noise, "measured"
    )


def frame_of(band, epsg=EPSG):
    return frame_around(band.annotation.grid, epsg, band.annotation.lines, band.annotation.samples, margin=300)


def whole(band, frame, step=120):
    with open_view(band, frame) as view:
        return np.concatenate([view.read(r, min(step, frame.height - r)) for r in range(0, frame.height, step)])


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize(("longitude", "epsg"), [(11.0, 32632), (11.99, 32633), (180.0, 32601), (180.0, 32660)])
def test_what_was_painted_on_the_ground_comes_back_where_it_was(tmp_path, ascending, noise, longitude, epsg):
    image = Image(lines=600, samples=800, ascending=ascending, longitude=longitude, relief_m=60.0)
    amplitudes, middle = painted(image, noise, epsg)
    band = band_of(image, tmp_path / "a.tif", amplitudes, noise)
    frame = frame_of(band, epsg)
    read = whole(band, frame)
    assert read.dtype == np.float32
    assert read.shape == (frame.height, frame.width)
    rows, columns = np.nonzero(np.isfinite(read))
    # Every pixel on the image has a value, and no other.
    assert len(rows) == pytest.approx(image.lines * image.samples, rel=0.05)
    x, y = frame.left + 10 * (columns + 0.5), frame.top - 10 * (rows + 0.5)
    off = read[rows, columns] - slope(x, y, middle)
    # Rounding to whole DN is 0.04 dB at 100 DN; a tenth of a pixel would be 0.001 dB of shift on average.
    assert np.abs(off).max() < 0.1
    assert abs(off.mean()) < 3e-4
    # A shift shows where the slope is strongest: fit it, in pixels of 10 m (0.01 dB each).
    assert abs(np.polyfit(x - middle[0], off, 1)[1]) / 0.01 < 0.05


def test_strips_of_any_height_and_two_threads_say_the_same(tmp_path):
    image = Image(relief_m=60.0)
    band = band_of(image, tmp_path / "a.tif", painted(image)[0])
    frame = frame_of(band)
    once = whole(band, frame, step=frame.height)
    with ThreadPoolExecutor(2) as pool:
        for strips in pool.map(lambda step: whole(band, frame, step), [120, 77]):
            # Places differ by a thousandth of a pixel, which decides for a pixel or two right on the rim.
            both = np.isfinite(strips) & np.isfinite(once)
            assert (np.isfinite(strips) != np.isfinite(once)).sum() < 5
            np.testing.assert_allclose(strips[both], once[both], atol=2e-3)


def test_blocks_done_in_parts_are_the_same(tmp_path, monkeypatch):
    image = Image(lines=300, samples=400)
    band = band_of(image, tmp_path / "a.tif", painted(image)[0])
    once = whole(band, frame_of(band))
    monkeypatch.setattr("jepa_core.radar.view._LARGEST_WINDOW", 3000)
    np.testing.assert_allclose(whole(band, frame_of(band)), once, atol=1e-5)


def test_a_real_measurement_of_ones_is_dark_inside_and_fringe_at_its_edges():
    found = sorted(SAFE.glob("*.SAFE/measurement/*-vv-*.tiff"))
    if not found:
        pytest.skip(f"no real product at {SAFE}")
    annotation = (found[0].parents[1] / "annotation" / f"{found[0].stem}.xml").read_bytes()
    image = Image()
    band = read_radar_band(str(found[0]), annotation, image.calibration(), image.new_noise(), found[0].name)
    with open_view(band, frame_of(band)) as view:
        strip = view.read(9000, 60)
    # Its shared copy holds 1 everywhere: below the noise, and along the edges as deep as a fringe may be.
    assert set(np.unique(strip[np.isfinite(strip)])) == {FLOOR_DB}
    # A row of the map crosses the image askew, by 14 degrees or less.
    inside = np.isfinite(strip).sum(axis=1)
    assert inside.min() > (25788 - 2 * 500) * 0.95
    assert inside.max() < (25788 - 2 * 500) / np.cos(np.radians(14)) * 1.02


def test_below_the_noise_is_dark_and_zero_is_missing(tmp_path):
    image = Image()
    amplitudes = painted(image)[0]
    amplitudes[400:500, 600:700] = 15  # 225 against a noise of 400 and more
    amplitudes[500:600, 600:700] = 0
    band = band_of(image, tmp_path / "a.tif", amplitudes)
    read = whole(band, frame_of(band))
    assert (read == FLOOR_DB).sum() == pytest.approx(10_000, rel=0.05)
    assert np.nanmin(read) == FLOOR_DB
    clean = whole(band_of(image, tmp_path / "b.tif", painted(image)[0]), frame_of(band))
    assert (np.isnan(read) & np.isfinite(clean)).sum() == pytest.approx(10_000, rel=0.05)


def test_fringes_are_missing_unless_the_processor_removed_noise(tmp_path):
    image = Image()
    amplitudes = painted(image)[0]
    amplitudes[:, :100] = np.random.default_rng(0).poisson(4, (image.lines, 100))
    for removed, share in (("false", 1 - 100 / 1300), ("true", 1.0)):
        band = band_of(image, tmp_path / f"{removed}.tif", amplitudes, noise_removed=removed)
        assert (band.noise is None) == (removed == "true")
        valid = np.isfinite(whole(band, frame_of(band))).sum()
        assert valid / (image.lines * image.samples) == pytest.approx(share, rel=0.01)


def test_bilinear_weights_and_gaps():
    power = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], "float32")
    # (line, sample) -> value. A single gap takes no more than the pixels next to it.
    cases = {
        (0.0, 0.0): 1.0,
        (0.5, 0.5): 2.5,
        (2.0, 2.0): 8.0,
        (1.25, 1.5): 5.25,
        (0.0, 1.0): 2.0,
        (0.0, 1.4): 2.0,
        (0.0, 1.6): np.nan,
        (0.2, 1.9): np.nan,
        (0.5, 1.5): (2 + 4 + 5) / 3,
    }
    line, sample = np.array(list(cases)).T
    np.testing.assert_allclose(interpolated(power, line, sample), list(cases.values()), rtol=1e-6)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (
            lambda i: np.ones((899, 1300), "uint16"),
            "1 band.s. of 899 x 1300 pixels; its annotation says 1 of 900 x 1300",
        ),
        (lambda i: np.ones((900, 1300), "float32"), "holds float32, not the uint16"),
    ],
)
def test_a_measurement_that_is_not_the_annotations_is_refused(tmp_path, made, says):
    band = band_of(Image(), tmp_path / "a.tif", made(Image()))
    with pytest.raises(ArchiveError, match=says) as error, open_view(band, frame_of(band)):
        pass
    assert "a.tif" in str(error.value)


def test_a_measurement_that_is_gone_or_cut_short_is_refused(tmp_path):
    image, path = Image(), tmp_path / "a.tif"
    band = band_of(image, path, painted(image)[0])
    path.write_bytes(path.read_bytes()[: 900 * 1300])
    with pytest.raises(ArchiveError, match=r"a\.tif cannot be read as a raster"):
        whole(band, frame_of(band))
    path.unlink()
    with pytest.raises(ArchiveError, match=r"a\.tif cannot be read as a raster"):
        whole(band, frame_of(band))


def test_files_of_another_polarisation_are_refused():
    image, other = Image(), Image(polarisation="VH")
    with pytest.raises(ArchiveError, match="calibration of x is of VH, the image of VV"):
        read_radar_band("a.tif", image.annotation(), other.calibration(), None, "x")
    with pytest.raises(ArchiveError, match="noise of x is of VH, the image of VV"):
        read_radar_band("a.tif", image.annotation(), image.calibration(), other.old_noise(), "x")
