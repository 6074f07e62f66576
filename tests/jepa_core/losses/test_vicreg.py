import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.losses.vicreg import covariance_penalty, invariance, variance_hinge


def drawn(batch, dimension, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, dimension)) @ rng.normal(size=(dimension, dimension)) * 0.5 + 3


def plain_hinge(x):
    return float(np.mean([max(0.0, 1 - np.sqrt(np.var(column, ddof=1) + 1e-4)) for column in x.T]))


def plain_penalty(x):
    d = x.shape[1]
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    return sum(covariance[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d


@given(batch=st.integers(2, 20), dimension=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_all_three_equal_the_plain_formulas(batch, dimension, seed):
    x, y = drawn(batch, dimension, seed), drawn(batch, dimension, seed + 1)
    a, b = torch.tensor(x), torch.tensor(y)
    assert variance_hinge(a).item() == pytest.approx(plain_hinge(x))
    assert covariance_penalty(a).item() == pytest.approx(plain_penalty(x))
    squares = [(p - q) ** 2 for p, q in zip(x.ravel(), y.ravel(), strict=True)]
    assert invariance(a, b).item() == pytest.approx(sum(squares) / len(squares))


def test_a_constant_batch_has_hinge_0_99_and_no_covariance():
    x = torch.full((5, 3), 7.0)
    assert variance_hinge(x).item() == pytest.approx(0.99)
    assert covariance_penalty(x).item() == 0


def test_a_constant_batch_has_a_finite_gradient():
    x = torch.full((5, 3), 7.0, requires_grad=True)
    (variance_hinge(x) + covariance_penalty(x)).backward()
    assert torch.isfinite(x.grad).all()


def test_orthogonal_dimensions_of_unit_variance_or_more_cost_nothing():
    hadamard = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert variance_hinge(hadamard).item() == 0
    assert covariance_penalty(hadamard).item() == 0


def test_equal_dimensions_cost_variance_squared_times_dimensions_less_one():
    column = torch.tensor([[-1.0], [0.0], [1.0]])
    assert covariance_penalty((2 * column).expand(-1, 5)).item() == pytest.approx(4**2 * (5 - 1))


def test_where_the_batch_lies_does_not_matter_to_variance_and_covariance():
    x = torch.tensor(drawn(9, 4))
    for term in (variance_hinge, covariance_penalty):
        assert term(x + 50).item() == pytest.approx(term(x).item())


def test_gradients_in_float64():
    # Small enough that the hinge is at work in every dimension.
    a, b = (torch.tensor(drawn(6, 4, seed) * 0.1, requires_grad=True) for seed in (0, 1))
    for term in (variance_hinge, covariance_penalty):
        assert torch.autograd.gradcheck(term, (a,))
    assert torch.autograd.gradcheck(invariance, (a, b))


def test_half_precision_is_computed_in_float32():
    a, b = (torch.tensor(drawn(16, 4, seed)).bfloat16() for seed in (0, 1))
    for term in (variance_hinge, covariance_penalty):
        assert term(a).dtype == torch.float32
        assert term(a).item() == term(a.float()).item()
    assert invariance(a, b).dtype == torch.float32
    assert invariance(a, b).item() == invariance(a.float(), b.float()).item()


@pytest.mark.parametrize("shape", [(1, 4), (0, 4), (4,), (2, 3, 4)])
def test_fewer_than_two_rows_are_refused(shape):
    for term in (variance_hinge, covariance_penalty):
        with pytest.raises(ValueError, match="at least two rows"):
            term(torch.ones(shape))


def test_branches_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        invariance(torch.ones(3, 4), torch.ones(1, 4))
