import numpy as np
import pytest

from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.statistics import BandStatistics, StatisticsError, band_statistics, normalise


def s2(rng, count=5):
    return rng.integers(1, 4000, (count, 12, 8, 8)).astype("uint16")


def test_statistics_are_those_of_the_valid_pixels_however_they_are_batched():
    pixels = s2(np.random.default_rng(0))
    pixels[0, 3, :4] = 0
    valid = (pixels != 0).all(axis=1)
    whole = band_statistics([pixels], SENTINEL2)
    parts = band_statistics([pixels[:2], pixels[2:]], SENTINEL2)
    for i, band in enumerate(SENTINEL2.band_names):
        values = pixels[:, i][valid].astype(float)
        assert whole[band].mean == pytest.approx(values.mean())
        assert whole[band].std == pytest.approx(values.std())
        assert parts[band].std == pytest.approx(values.std())
        assert whole[band].unit == "DN"


def test_normalised_pixels_have_mean_zero_and_deviation_one_and_missing_ones_are_zero():
    pixels = np.random.default_rng(0).normal(-12, 5, (20, 2, 16, 16)).astype("float32")
    pixels[3, 1, 2, 2] = np.nan
    got = normalise(pixels, SENTINEL1, band_statistics([pixels], SENTINEL1))
    assert got.dtype == np.float32
    assert got[3, :, 2, 2].tolist() == [0, 0]
    np.testing.assert_allclose(got.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(got.std(axis=(0, 2, 3)), 1, atol=1e-2)


def test_reflectance_read_as_digital_numbers_is_refused_by_unit():
    statistics = band_statistics([s2(np.random.default_rng(0))], SENTINEL2)
    reflectance = {b: BandStatistics(s.mean / 1e4, s.std / 1e4, "reflectance") for b, s in statistics.items()}
    with pytest.raises(StatisticsError, match="B01 are in reflectance, values in DN"):
        normalise(s2(np.random.default_rng(1)), SENTINEL2, reflectance)


def test_missing_statistics_are_named():
    statistics = band_statistics([s2(np.random.default_rng(0))], SENTINEL2)
    del statistics["B11"]
    with pytest.raises(StatisticsError, match="B11"):
        normalise(s2(np.random.default_rng(1)), SENTINEL2, statistics)


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.full((1, 2, 4, 4), np.nan, "float32"), "no valid"),
        (np.full((1, 2, 4, 4), -12, "float32"), "constant"),
        (np.random.default_rng(0).normal(900, 5, (1, 2, 4, 4)).astype("float32"), "another unit"),
    ],
)
def test_what_can_have_no_statistics_is_refused(pixels, says):
    with pytest.raises(StatisticsError, match=says):
        band_statistics([pixels], SENTINEL1)
