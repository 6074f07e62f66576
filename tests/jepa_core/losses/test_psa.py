import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.losses.psa import normalised_factor, psa_distance, shrinkage_factor


def drawn(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def singular_covariance(width, seed=0):
    """Of rank width - 1, as that of layer-normed features."""
    x = drawn(3 * width, width, seed=seed)
    x = x - x.mean(dim=1, keepdim=True)
    return x.T @ x / len(x)


def reference(delta, factor):
    m = factor @ factor.T
    width = delta.shape[2]
    return [sum(np.sqrt(token @ m @ token / width + 1e-6) for token in image) / len(image) for image in delta]


@given(
    batch=st.integers(1, 3),
    tokens=st.integers(1, 5),
    width=st.integers(1, 7),
    seed=st.integers(0, 2**31),
)
def test_the_distance_equals_the_plain_formula(batch, tokens, width, seed):
    delta, factor = drawn(batch, tokens, width, seed=seed), drawn(width, width, seed=seed + 1)
    got = psa_distance(delta, factor)
    assert got.shape == (batch,)
    assert got.tolist() == pytest.approx(reference(delta.numpy(), factor.numpy()))


@pytest.mark.parametrize("width", [4, 400])
def test_under_the_identity_it_is_the_root_mean_square_of_delta_whatever_the_width(width):
    delta = torch.full((2, 3, width), -0.5)
    assert psa_distance(delta, torch.eye(width)).tolist() == pytest.approx([0.5, 0.5], rel=1e-5)


def test_its_floor_is_the_root_of_1e_6_with_a_finite_gradient():
    delta = torch.zeros(1, 2, 3, requires_grad=True)
    distance = psa_distance(delta, torch.eye(3))
    distance.sum().backward()
    assert distance.item() == pytest.approx(1e-3)
    assert torch.equal(delta.grad, torch.zeros(1, 2, 3))


@given(width=st.integers(1, 9), exponent=st.floats(-9, 9), seed=st.integers(0, 2**31))
def test_the_trace_is_the_width_whatever_the_factor_s_scale(width, exponent, seed):
    factor = drawn(width, width, seed=seed)
    scaled = normalised_factor(factor * 10**exponent)
    assert torch.trace(scaled @ scaled.T).item() == pytest.approx(width)
    assert torch.allclose(scaled, normalised_factor(factor))


def test_the_identity_is_normalised_already():
    assert torch.allclose(normalised_factor(torch.eye(5)), torch.eye(5))


def descended(prepare):
    """Distance of fixed deltas, in all directions alike, after descending the factor alone."""
    delta = drawn(4, 32, 6)
    factor = torch.eye(6, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([factor], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        psa_distance(delta, prepare(factor)).mean().backward()
        optimizer.step()
    return psa_distance(delta, prepare(factor)).mean().item()


def test_a_free_factor_goes_to_the_floor_and_a_normalised_one_does_not():
    assert descended(lambda factor: factor) < 0.05
    # From about 1 it ends with all of M on one direction, where a normal delta has mean size 0.8, and less in the
    # direction that suits these few deltas best.
    assert 0.6 < descended(normalised_factor) < 0.8


@given(width=st.integers(2, 9), shrinkage=st.floats(0.01, 10), seed=st.integers(0, 2**31))
def test_the_shrinkage_factor_s_matrix_times_the_shrunk_covariance_is_a_multiple_of_the_identity(
    width, shrinkage, seed
):
    covariance = singular_covariance(width, seed)
    factor = shrinkage_factor(covariance, shrinkage)
    identity = torch.eye(width, dtype=torch.float64)
    product = factor @ factor.T @ (covariance + shrinkage * identity)
    multiple = product[0, 0].item()
    assert multiple > 0
    assert torch.allclose(product / multiple, identity, atol=1e-8)
    assert torch.trace(factor @ factor.T).item() == pytest.approx(width)


def test_the_shrinkage_factor_counts_an_error_less_where_targets_vary_more():
    factor = shrinkage_factor(torch.diag(torch.tensor([9.0, 1.0])), 1e-6)
    wide, narrow = psa_distance(torch.eye(2)[:, None], factor)
    assert (narrow / wide).item() == pytest.approx(3, rel=1e-3)


def test_the_shrinkage_factor_carries_no_gradient():
    covariance = singular_covariance(3).requires_grad_()
    assert not shrinkage_factor(covariance, 0.1).requires_grad


def test_gradients_in_float64():
    delta, factor = drawn(2, 3, 4).requires_grad_(), drawn(4, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(psa_distance, (delta, factor))
    assert torch.autograd.gradcheck(lambda d, f: psa_distance(d, normalised_factor(f)), (delta, factor))


def test_half_precision_is_computed_in_float32():
    delta, factor = drawn(2, 3, 4).bfloat16(), drawn(4, 4, seed=1).float()
    got = psa_distance(delta, factor)
    assert got.dtype == torch.float32
    assert torch.equal(got, psa_distance(delta.float(), factor))
    assert shrinkage_factor(singular_covariance(4).bfloat16(), 0.1).dtype == torch.float32


def test_matrices_that_are_not_square_and_shapes_that_do_not_fit_are_refused():
    for refused in (lambda: normalised_factor(torch.ones(2, 3)), lambda: shrinkage_factor(torch.ones(2, 3), 0.1)):
        with pytest.raises(ValueError, match="square"):
            refused()
    with pytest.raises(ValueError, match="expected"):
        psa_distance(torch.ones(2, 3, 4), torch.eye(3))


@pytest.mark.parametrize("shrinkage", [0.0, -1.0])
def test_a_shrinkage_that_is_not_positive_is_refused(shrinkage):
    with pytest.raises(ValueError, match="positive"):
        shrinkage_factor(torch.eye(2), shrinkage)


def test_under_mixed_precision_it_is_computed_in_full_precision():
    generator = torch.Generator().manual_seed(0)
    delta, factor = torch.randn(2, 3, 8, generator=generator), torch.randn(8, 8, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        found = psa_distance(delta, factor)
    assert torch.equal(found, psa_distance(delta, factor))
