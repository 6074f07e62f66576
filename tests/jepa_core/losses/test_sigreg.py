import numpy as np
import pytest
import torch

from jepa_core.losses.sigreg import sigreg

# Over the step between points: inside, and at both ends.
WEIGHT_AT = {"lejepa": (2.0, 1.0), "paper": (1.0, 0.5)}

both = pytest.mark.parametrize("weights", WEIGHT_AT)
of_each_size = pytest.mark.parametrize("batch", [64, 512, 2048])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def reference(x, directions, knots, weights):
    """The formula of CR-JEPA section 3, one term after the other; LeJEPA's code doubles every weight."""
    batch, slices = len(x), directions.shape[1]
    t = [3 * k / (knots - 1) for k in range(knots)]
    total = 0.0
    for j in range(slices):
        s = [float(np.dot(row, directions[:, j])) for row in x]
        for k in range(knots):
            trapezoid = (3 / (knots - 1)) * WEIGHT_AT[weights][k in (0, knots - 1)]
            weight = trapezoid * np.exp(-(t[k] ** 2) / 2)
            real = np.mean([np.cos(t[k] * v) for v in s]) - np.exp(-(t[k] ** 2) / 2)
            imaginary = np.mean([np.sin(t[k] * v) for v in s])
            total += weight * (real**2 + imaginary**2)
    return batch / slices * total


@both
def test_it_equals_the_plain_formula(weights):
    x = torch.randn(7, 5, generator=generator(1), dtype=torch.float64) * 1.7 + 0.3
    drawn = torch.randn(5, 6, generator=generator(2)).double().numpy()
    directions = drawn / np.linalg.norm(drawn, axis=0)
    got = sigreg(x, 6, 9, weights, generator(2))
    assert got.item() == pytest.approx(reference(x.numpy(), directions, 9, weights))


@of_each_size
def test_a_standard_normal_batch_gives_about_one_whatever_its_size(batch):
    values = [
        sigreg(torch.randn(batch, 64, generator=generator(i)), 64, 17, "lejepa", generator(1000 + i)).item()
        for i in range(20)
    ]
    assert np.mean(values) == pytest.approx(1.0, abs=0.1)


@of_each_size
def test_the_paper_s_weights_give_half_of_lejepa_s(batch):
    x = torch.randn(batch, 64, generator=generator())
    lejepa, paper = (sigreg(x, 32, 17, weights, generator(1)).item() for weights in ("lejepa", "paper"))
    assert paper == pytest.approx(lejepa / 2)


@of_each_size
@pytest.mark.parametrize(("weights", "share"), [("lejepa", 0.402), ("paper", 0.201)])
def test_a_batch_of_zeros_gives_a_fixed_share_of_its_size(batch, weights, share):
    value = sigreg(torch.zeros(batch, 64), 32, 17, weights, generator()).item()
    assert value / batch == pytest.approx(share, abs=1e-3)


@both
def test_gradient_in_float64(weights):
    x = torch.randn(6, 4, dtype=torch.float64, generator=generator(), requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: sigreg(e, 5, 9, weights, generator(3)), (x,))


def test_descending_it_spreads_a_collapsed_batch():
    x = (torch.randn(64, 8, generator=generator()) * 0.01).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.05)
    for step in range(100):
        optimizer.zero_grad()
        sigreg(x, 32, 17, "lejepa", generator(step)).backward()
        optimizer.step()
    assert x.std(dim=0).mean().item() == pytest.approx(1.0, abs=0.15)


def test_half_precision_is_computed_in_float32():
    x = torch.randn(32, 8, generator=generator())
    half = sigreg(x.bfloat16(), 16, 17, "lejepa", generator())
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(sigreg(x.bfloat16().float(), 16, 17, "lejepa", generator()).item())
