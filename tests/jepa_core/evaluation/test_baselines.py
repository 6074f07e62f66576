import numpy as np
import pytest

from jepa_core.evaluation.baselines import (
    band_statistics_vectors,
    cross_sensor_similarity,
    same_sensor_similarity,
)
from jepa_core.sensors import SENTINEL1, SENTINEL2


def test_statistics_of_each_band_over_valid_pixels():
    pixels = np.random.default_rng(0).normal(-12, 3, (3, 2, 8, 8)).astype("float32")
    pixels[1, 0, :4] = np.nan
    got = band_statistics_vectors(pixels, SENTINEL1)
    assert got.shape == (3, 4)
    valid = np.isfinite(pixels[1]).all(axis=0)
    for band in range(2):
        assert got[1, band] == pytest.approx(pixels[1, band][valid].mean())
        assert got[1, 2 + band] == pytest.approx(pixels[1, band][valid].std(), rel=1e-5)


def test_a_patch_without_a_valid_pixel_has_zeros_not_nan():
    assert band_statistics_vectors(np.zeros((1, 12, 4, 4), "uint16"), SENTINEL2).tolist() == [[0.0] * 24]


def test_within_a_sensor_equal_patches_have_cosine_one():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(30, 4)), rng.normal(size=(5, 4))
    test[3] = test[1]
    similarity = same_sensor_similarity(train, test)
    np.testing.assert_allclose(np.diag(similarity), 1)
    assert similarity[1, 3] == pytest.approx(1)


def test_across_sensors_a_linear_relation_is_found():
    rng = np.random.default_rng(0)
    relation = rng.normal(size=(4, 6))
    a = rng.normal(size=(200, 4))
    similarity = cross_sensor_similarity(a[:150], a[:150] @ relation, a[150:], a[150:] @ relation)
    assert similarity.argmax(axis=1).tolist() == list(range(50))
