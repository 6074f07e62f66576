"""The fit of what evens out descriptors."""

import numpy as np
import pytest
import torch

from jepa_core.training.whiten import whiten, whitening_matrix
from jepa_core.variants import registry
from tests.jepa_core.variants.small import BANDS, batch, built

IMAGES = batch(count=40)
EVERY = pytest.mark.parametrize("variant", registry.METHODS)


def blocks(images=IMAGES):
    return {name: (part.numpy() for part in values.split(16)) for name, values in images.items()}


def described(model, images=IMAGES):
    with torch.no_grad():
        return {name: model.describe(values, name) for name, values in images.items()}


def test_the_matrix_is_the_root_of_the_inverse_of_a_covariance_that_is_known():
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    deviations = np.array([4.0, 2.0, 1.0])
    vectors = rng.normal(size=(200_000, 3)) * deviations @ turned.T
    got = whitening_matrix(vectors - vectors.mean(axis=0))
    # The variances are 16, 4 and 1, their mean 7; each has 3 times that added.
    scaled = turned / np.sqrt(deviations**2 / 7 + 3)
    np.testing.assert_allclose(got, scaled @ turned.T, atol=0.02)
    two = whitening_matrix(vectors - vectors.mean(axis=0), kept=2)
    assert two.shape == (3, 2)
    # Up to the sign and the order of the axes.
    np.testing.assert_allclose(two @ two.T, scaled[:, :2] @ scaled[:, :2].T, atol=0.02)


def test_few_vectors_are_hardly_evened_out_and_equal_ones_not_at_all():
    few = np.random.default_rng(0).normal(size=(8, 64))
    stretched = np.linalg.eigvalsh(whitening_matrix(few - few.mean(axis=0)))
    # By their covariance as it is, without Ledoit and Wolf, more than 2.
    assert stretched[-1] / stretched[0] < 1.4
    assert np.array_equal(whitening_matrix(np.zeros((5, 3))), np.eye(3))


@EVERY
def test_every_whitened_level_is_centred_by_its_sensors_own_mean(variant):
    model = built(variant).eval()
    whiten(model, blocks())
    assert set(model.whitening) == {f"{level}_{name}" for level in model.whitened for name in BANDS}
    for name in BANDS:
        with torch.no_grad():
            levels = model.levels(IMAGES[name], name)
        for level in model.whitened:
            mean = model.whitening[f"{level}_{name}"].mean
            torch.testing.assert_close(mean, levels[level].mean(dim=0), rtol=0, atol=1e-5)


@EVERY
def test_a_descriptor_is_its_levels_side_by_side_each_as_long(variant):
    model = built(variant).eval()
    whiten(model, blocks())
    for name, kinds in described(model).items():
        with torch.no_grad():
            levels = model.levels(IMAGES[name], name)
        for purpose, vectors in kinds.items():
            parts = [
                model.whitening[f"{level}_{name}"](levels[level]) if level in model.whitened else levels[level]
                for level in model.described_by[purpose]
            ]
            assert len(parts) == 2 or (variant, purpose) in {("xjepa", "cross"), ("crjepa", "cross")}
            torch.testing.assert_close(vectors, torch.cat(parts, dim=1) / len(parts) ** 0.5)


def test_levels_that_search_across_sensors_keep_their_axes_and_others_few_directions(monkeypatch):
    monkeypatch.setattr("jepa_core.training.whiten.KEPT", 5)
    model = built("crjepa").eval()
    whiten(model, blocks())
    for name in BANDS:
        shapes = {level: tuple(model.whitening[f"{level}_{name}"].matrix.shape) for level in model.whitened}
        assert shapes == {"stem": (64, 5), "trunk": (32, 32)}
        matrix = model.whitening[f"trunk_{name}"].matrix
        torch.testing.assert_close(matrix, matrix.T)
    assert {k: v.shape[1] for k, v in described(model)["sentinel1"].items()} == {"same": 37, "cross": 32}


def test_descriptors_spread_over_more_directions_than_before():
    model = built("mae").eval()
    before = described(model)["sentinel2"]["same"]
    whiten(model, blocks())
    after = described(model)["sentinel2"]["same"]
    assert (before @ before.T).mean() > 0.9
    assert abs((after @ after.T).mean().item()) < 0.1


def test_the_mode_and_the_norms_of_a_method_are_left_as_they_were():
    model = built("ijepa", stem="hmlp").train()
    kept = {name: values.clone() for name, values in model.state_dict().items() if "running" in name}
    assert kept
    whiten(model, blocks())
    assert model.training
    assert all(torch.equal(model.state_dict()[name], values) for name, values in kept.items())
