import pytest
import torch

from jepa_core.training.monitors import alignment, effective_rank, least_std, mean_std, spread, uniformity


def test_a_collapsed_batch_has_no_spread_and_no_rank():
    collapsed = torch.ones(16, 8) * 3
    assert mean_std(collapsed) == 0
    assert effective_rank(collapsed) == 0


def test_the_rank_of_equal_orthogonal_directions_is_their_number():
    for directions in (1, 3, 8):
        x = torch.zeros(2 * directions, 8)
        for i in range(directions):
            x[2 * i, i], x[2 * i + 1, i] = 1.0, -1.0
        assert effective_rank(x + 5) == pytest.approx(directions, rel=1e-4)


def test_one_constant_dimension_shows_in_the_least_spread_and_not_in_the_mean():
    x = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    x[:, 3] = 1.0
    assert least_std(x) == 0
    assert mean_std(x) > 0.5


def test_the_spread_is_the_mean_over_dimensions():
    x = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert mean_std(x) == pytest.approx((2**0.5 + 8**0.5) / 2)


def test_spread_is_of_directions_whatever_their_length():
    x = torch.tensor([[3.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -5.0]])
    assert spread(x) == pytest.approx(1.0)
    assert spread(torch.tensor([[1.0, 1.0], [5.0, 5.0]])) == pytest.approx(0.0, abs=1e-6)


def test_alignment_and_uniformity_have_their_closed_values():
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert alignment(a, 5 * a) == pytest.approx(0.0, abs=1e-6)
    assert alignment(a, -a) == pytest.approx(4.0)
    assert alignment(a, a.flip(0)) == pytest.approx(2.0)
    # Two unit vectors at right angles: distance squared 2.
    assert uniformity(a) == pytest.approx(-4.0)
    assert uniformity(torch.ones(3, 2)) == pytest.approx(0.0, abs=1e-6)
