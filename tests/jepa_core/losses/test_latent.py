import numpy as np
import pytest
import torch

from jepa_core.losses.latent import latent_mse, latent_smooth_l1


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, 2, 4, 5, generator=generator) * 2 for _ in range(2)]


def test_squared_error_is_averaged_over_each_image(tokens):
    a, b = (t.numpy() for t in tokens)
    np.testing.assert_allclose(latent_mse(*tokens).numpy(), ((a - b) ** 2).reshape(3, -1).mean(axis=1), rtol=1e-5)


def test_smooth_l1_is_half_the_square_up_to_one_and_straight_beyond(tokens):
    a, b = (t.numpy() for t in tokens)
    gap = np.abs(a - b)
    expected = np.where(gap < 1, gap**2 / 2, gap - 0.5).reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(latent_smooth_l1(*tokens).numpy(), expected, rtol=1e-5)
    two = torch.tensor([[[2.0]]])
    assert latent_smooth_l1(two, torch.zeros_like(two)).item() == 1.5
