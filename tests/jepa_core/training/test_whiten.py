"""The fit of what evens out descriptors."""

import numpy as np
import pytest
import torch

from jepa_core.training.whiten import whiten, whitening_matrix
from jepa_core.variants import registry
from tests.jepa_core.variants.small import BANDS, batch, built

IMAGES = batch(count=40)
WHITENED = [name for name, method in registry.METHODS.items() if getattr(method.build, "whitened", False)]


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
    wanted = (turned / np.sqrt(deviations**2 / 7 + 3)) @ turned.T
    np.testing.assert_allclose(got, wanted, atol=0.02)


def test_few_vectors_are_hardly_evened_out_and_equal_ones_not_at_all():
    few = np.random.default_rng(0).normal(size=(8, 64))
    stretched = np.linalg.eigvalsh(whitening_matrix(few - few.mean(axis=0)))
    # By their covariance as it is, without Ledoit and Wolf, more than 2.
    assert stretched[-1] / stretched[0] < 1.4
    assert np.array_equal(whitening_matrix(np.zeros((5, 3))), np.eye(3))


@pytest.mark.parametrize("variant", WHITENED)
def test_every_sensors_descriptors_are_centred_by_their_own_mean(variant):
    model = built(variant).eval()
    whiten(model, blocks())
    for name in BANDS:
        with torch.no_grad():
            vectors = model.networks[name].embed(IMAGES[name])
        torch.testing.assert_close(model.whitening[f"same_{name}"].mean, vectors.mean(dim=0), rtol=0, atol=1e-5)


def test_only_the_methods_whose_loss_says_nothing_of_how_features_spread_are_whitened():
    assert WHITENED == ["ijepa", "mae"]
    rejepa = built("rejepa").eval()
    assert not list(rejepa.whitening)
    with torch.no_grad():
        vectors = rejepa.networks["sentinel1"].embed(IMAGES["sentinel1"])
    assert torch.equal(described(rejepa)["sentinel1"]["same"], vectors)


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
