import hashlib
from dataclasses import replace

import numpy as np
import pytest

from jepa_core.baselines import training_rows
from jepa_core.baselines.features import band_means_and_deviations, thumbnail
from jepa_core.baselines.fitted import PCA_COMPONENTS
from jepa_core.baselines.random_encoder import random_encoder
from jepa_core.baselines.registry import BASELINES, baseline
from jepa_core.baselines.training_rows import BaselineError
from jepa_core.errors import UnknownNameError
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.vectors import check_unit
from tests.jepa_core.variants.small import CONFIGS
from tests.labelled import labelled_set

FITTED = ("band-statistics", "thumbnail", "pca")


def made(name, data, seed=0):
    """The baseline; the random encoder in a size for tests."""
    return random_encoder(data, seed, CONFIGS["ijepa"]) if name == "random-encoder" else baseline(name, data, seed)


@pytest.fixture(scope="module")
def pairs():
    return labelled_set(rows=80, missing=0.2)


@pytest.fixture(scope="module")
def baselines(pairs):
    return {name: made(name, pairs) for name in BASELINES}


def unit_rows(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_statistics_of_each_band_are_over_valid_pixels():
    pixels = np.random.default_rng(0).normal(-12, 3, (3, 2, 8, 8)).astype("float32")
    pixels[1, 0, :4] = np.nan
    pixels[2] = np.nan
    got = band_means_and_deviations(pixels, SENTINEL1)
    for band in range(2):
        assert got[0, 2 + band] == pytest.approx(pixels[0, band].std(), rel=1e-5)
        assert got[1, band] == pytest.approx(pixels[1, band, 4:].mean(), rel=1e-5)
        assert got[1, 2 + band] == pytest.approx(pixels[1, band, 4:].std(), rel=1e-5)
    assert np.isnan(got[2]).all()


def test_a_thumbnail_is_the_mean_of_each_square():
    pixels = np.random.default_rng(0).normal(-12, 3, (2, 2, 16, 16)).astype("float32")
    expected = pixels.reshape(2, 2, 8, 2, 8, 2).mean(axis=(3, 5)).reshape(2, -1)
    np.testing.assert_allclose(thumbnail(pixels, SENTINEL1, 8), expected, rtol=1e-5)


def test_a_thumbnail_counts_pixels_that_a_border_cuts_in_parts():
    pixels = np.zeros((1, 2, 3, 3), "float32")
    pixels[0, 0] = [[1, 2, 3], [1, 2, 3], [1, 2, 3]]
    got = thumbnail(pixels, SENTINEL1, 2).reshape(2, 2, 2)
    # A square is one and a half pixels wide.
    np.testing.assert_allclose(got[0], [[(1 + 2 / 2) / 1.5, (2 / 2 + 3) / 1.5]] * 2)


def test_a_thumbnail_skips_missing_pixels_and_gives_empty_squares_the_mean_of_the_patch():
    pixels = np.full((1, 12, 8, 8), 100, "uint16")
    pixels[0, :, :, 4:] = 300
    pixels[0, 3, 0, 1] = 0
    pixels[0, :, 4:, :4] = 0
    got = thumbnail(pixels, SENTINEL2, 2).reshape(12, 2, 2)
    mean = (15 * 100 + 32 * 300) / 47
    np.testing.assert_allclose(got, np.broadcast_to([[100, 300], [mean, 300]], (12, 2, 2)))


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_gives_unit_vectors_of_all_patches_in_the_space_of_its_kind(baselines, pairs, name):
    rows, dimensions = pairs.rows("test"), {}
    for sensor in pairs.sensors:
        for kind, vectors in baselines[name].describe(pairs.read(sensor, rows), sensor).items():
            assert vectors.dtype == np.float32
            assert len(vectors) == len(rows)
            check_unit(vectors, name)
            dimensions.setdefault(kind, []).append(vectors.shape[1])
    assert list(dimensions) == (["same", "cross"] if name in FITTED else ["same"])
    assert len(set(dimensions[list(dimensions)[-1]])) == 1
    assert baselines[name].name == name
    assert baselines[name].parameters == 0 if name == "random-vectors" else baselines[name].parameters > 0


@pytest.mark.parametrize("name", BASELINES)
def test_a_patch_without_a_measurement_and_a_constant_one_have_unit_vectors(baselines, pairs, name):
    for sensor in pairs.sensors:
        empty = np.full((1, len(sensor.bands), 16, 16), np.nan if sensor.nodata is None else 0, sensor.dtype)
        flat = np.ones((1, len(sensor.bands), 16, 16), sensor.dtype)
        for vectors in baselines[name].describe(np.concatenate([empty, flat]), sensor).values():
            check_unit(vectors, name)


@pytest.mark.parametrize("name", BASELINES)
def test_a_vector_hangs_on_its_patch_alone(baselines, pairs, name):
    for sensor in pairs.sensors:
        pixels = pairs.read(sensor, np.arange(5))
        together = baselines[name].describe(pixels, sensor)
        for kind, vectors in baselines[name].describe(pixels[3:4], sensor).items():
            np.testing.assert_allclose(vectors[0], together[kind][3], atol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_made_again_is_the_same_and_fingerprints_tell_others_apart(baselines, pairs, name):
    again, other_seed = made(name, pairs), made(name, pairs, seed=1)
    other_set = made(name, labelled_set(rows=80, seed=1))
    prints = {d.fingerprint for d in (baselines[name], again, other_seed, other_set)}
    assert again.fingerprint == baselines[name].fingerprint
    assert len(prints) == 3
    pixels = pairs.read(SENTINEL1, np.arange(4))
    for kind, vectors in again.describe(pixels, SENTINEL1).items():
        np.testing.assert_array_equal(vectors, baselines[name].describe(pixels, SENTINEL1)[kind])


@pytest.mark.parametrize("name", BASELINES)
def test_fingerprints_tell_the_sensors_of_a_set_apart(baselines, pairs, name):
    assert made(name, replace(pairs, sensors=pairs.sensors[1:])).fingerprint != baselines[name].fingerprint


@pytest.mark.parametrize("name", FITTED)
def test_a_baseline_reads_its_training_rows_when_it_first_describes_and_not_again(name):
    data, read = labelled_set(rows=40), []

    def counted(sensor, rows):
        read.append(len(rows))
        return data.read(sensor, rows)

    describer = baseline(name, replace(data, read=counted), 0)
    assert describer.fingerprint
    # A row of each sensor says whether there is anything to fit on.
    assert read == [1, 1]
    for _ in range(2):
        describer.describe(data.read(SENTINEL1, np.arange(2)), SENTINEL1)
        assert describer.parameters > 0
    assert sum(read) == 2 + 2 * len(data.rows("train"))


def test_fingerprints_of_all_baselines_differ(baselines):
    assert len({b.fingerprint for b in baselines.values()}) == len(BASELINES)


def test_within_a_sensor_statistics_are_standardised_by_the_training_rows():
    data = labelled_set(rows=40)
    train, test = (data.read(SENTINEL2, data.rows(split)).astype(float) for split in ("train", "test"))

    def raw(p):
        return np.concatenate([p.mean(axis=(2, 3)), p.std(axis=(2, 3))], axis=1)

    expected = unit_rows((raw(test) - raw(train).mean(axis=0)) / raw(train).std(axis=0))
    got = baseline("band-statistics", data, 0).describe(test.astype("uint16"), SENTINEL2)
    np.testing.assert_allclose(got["same"], expected, atol=1e-5)
    np.testing.assert_array_equal(got["cross"], got["same"])


def test_across_sensors_a_ridge_regression_brings_the_first_sensor_to_the_second():
    data = labelled_set(rows=40)
    scaled = {}
    for sensor in data.sensors:
        raw = {}
        for split in ("train", "test"):
            pixels = data.read(sensor, data.rows(split)).astype(float)
            raw[split] = pixels.reshape(len(pixels), -1, 8, 2, 8, 2).mean(axis=(3, 5)).reshape(len(pixels), -1)
        scaled[sensor.name] = {s: (v - raw["train"].mean(axis=0)) / raw["train"].std(axis=0) for s, v in raw.items()}
    x, y, asked = scaled["sentinel1"]["train"], scaled["sentinel2"]["train"], scaled["sentinel1"]["test"]
    # Standardised, both have the mean 0: no intercept.
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
    got = baseline("thumbnail", data, 0).describe(data.read(SENTINEL1, data.rows("test")), SENTINEL1)
    np.testing.assert_allclose(got["cross"], unit_rows(asked @ weights), atol=1e-4)
    np.testing.assert_allclose(got["same"], unit_rows(asked), atol=1e-4)


def test_principal_components_are_those_of_a_singular_value_decomposition():
    # With little noise: among axes of equal spread the solver, an approximate one, and the exact one choose freely.
    data = labelled_set(rows=200, sensors=(SENTINEL1,), noise=0.05)
    describer = baseline("pca", data, 0)
    train, asked = (data.read(SENTINEL1, data.rows(split)) for split in ("train", "test"))
    got = describer.describe(asked, SENTINEL1)
    assert got.keys() == {"same"}
    assert got["same"].shape == (len(asked), PCA_COMPONENTS)
    # Images of 16 pixels are their own thumbnails.
    raw, wanted = (pixels.astype(float).reshape(len(pixels), -1) for pixels in (train, asked))
    mean, std = raw.mean(axis=0), raw.std(axis=0)
    _, _, axes = np.linalg.svd((raw - mean) / std, full_matrices=False)
    exact = (wanted - mean) / std @ axes[:PCA_COMPONENTS].T
    # Signs of axes are free, cosines are not.
    np.testing.assert_allclose(got["same"] @ got["same"].T, unit_rows(exact) @ unit_rows(exact).T, atol=0.005)


def test_there_are_no_more_components_than_training_rows_allow():
    few = labelled_set(rows=8, classes=2, sensors=(SENTINEL1,))
    assert baseline("pca", few, 0).fit.spaces["sentinel1"].reduction.n_components_ == len(few.rows("train")) - 1


@pytest.mark.parametrize("name", FITTED)
def test_patches_of_a_class_lie_closer_than_others(baselines, name):
    data = labelled_set(rows=80)
    rows = data.rows("test")
    same_class = data.labels[rows].argmax(axis=1)[:, None] == data.labels[rows].argmax(axis=1)
    others = ~np.eye(len(rows), dtype=bool)
    described = [baselines[name].describe(data.read(s, rows), s) for s in data.sensors]
    for queries, gallery, kind in ((0, 0, "same"), (1, 1, "same"), (0, 1, "cross"), (1, 0, "cross")):
        cosines = described[queries][kind] @ described[gallery][kind].T
        assert cosines[same_class & others].mean() > cosines[~same_class].mean() + 0.3


def test_random_vectors_hang_on_pixels_sensor_and_seed_and_have_nothing_in_common(pairs):
    describer = baseline("random-vectors", pairs, 7)
    pixels = pairs.read(SENTINEL1, np.arange(60))
    vectors = describer.describe(pixels, SENTINEL1)["same"]
    digest = hashlib.sha256(b"7 sentinel1 (2, 16, 16)" + pixels[0].tobytes()).digest()
    drawn = np.random.default_rng(int.from_bytes(digest, "big")).normal(size=vectors.shape[1])
    np.testing.assert_allclose(vectors[0], drawn / np.linalg.norm(drawn), atol=1e-6)
    cosines = (vectors @ vectors.T)[~np.eye(60, dtype=bool)]
    assert abs(cosines.mean()) < 0.01
    assert cosines.std() == pytest.approx(vectors.shape[1] ** -0.5, rel=0.1)
    other = describer.describe(pixels, replace(SENTINEL1, name="palsar"))["same"]
    assert np.abs((vectors * other).sum(axis=1)).max() < 0.5
    assert describer.describe(pixels[:0], SENTINEL1)["same"].shape == (0, vectors.shape[1])


def test_of_many_training_rows_an_even_choice_is_fitted_on(monkeypatch):
    monkeypatch.setattr(training_rows, "MOST_ROWS", 10)
    data = labelled_set(rows=80)
    rows, of = training_rows.training_rows(data), data.rows("train")
    assert len(rows) == 10
    assert set(np.diff(np.searchsorted(of, rows))) == {4}


def test_a_set_that_allows_no_baseline_and_an_unknown_name_are_plain_errors(pairs):
    data = labelled_set(rows=40, sensors=(SENTINEL1,))
    with pytest.raises(BaselineError, match="stripes has 0 training rows"):
        baseline("pca", replace(data, splits=np.full(len(data), "test")), 0)
    blind = replace(data, read=lambda sensor, rows: np.full((len(rows), 2, 8, 8), np.nan, "float32"))
    with pytest.raises(BaselineError, match="no training row of stripes has a valid sentinel1 pixel"):
        baseline("thumbnail", blind, 0)
    with pytest.raises(UnknownNameError, match="no baseline 'sift'; there are random-vectors"):
        baseline("sift", data, 0)


def test_a_sensor_that_a_baseline_was_not_fitted_on_is_refused(baselines, pairs):
    fewer = SENTINEL2.with_bands(["B02", "B03"])
    with pytest.raises(UnknownNameError, match="not on sentinel2 B02, B03"):
        baselines["pca"].describe(np.ones((1, 2, 16, 16), "uint16"), fewer)
