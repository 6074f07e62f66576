import math

import numpy as np
import pytest
import torch

from jepa_core.losses.infonce import cosine_gap, symmetric_infonce


def unit(rng, shape):
    x = rng.normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def reference(a, b, temperature):
    total = 0.0
    for x, y in ((a, b), (b, a)):
        for i in range(len(x)):
            logits = [float(np.dot(x[i], y[j])) / temperature for j in range(len(y))]
            total += math.log(sum(map(math.exp, logits))) - logits[i]
    return total / (2 * len(a))


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_infonce_equals_the_plain_formula(temperature):
    a, b = unit(np.random.default_rng(0), (9, 6)), unit(np.random.default_rng(1), (9, 6))
    got = symmetric_infonce(torch.tensor(a), torch.tensor(b), temperature)
    assert got.item() == pytest.approx(reference(a, b, temperature))


def test_infonce_is_symmetric_and_log_batch_where_nothing_is_told_apart():
    a, b = (torch.tensor(unit(np.random.default_rng(i), (8, 4))) for i in (0, 1))
    assert symmetric_infonce(a, b, 0.1).item() == pytest.approx(symmetric_infonce(b, a, 0.1).item())
    same = a[:1].expand(8, -1)
    assert symmetric_infonce(same, same, 0.1).item() == pytest.approx(math.log(8))


@pytest.mark.parametrize("shapes", [((1, 4), (1, 4)), ((3, 4), (4, 4)), ((3,), (3,))])
def test_infonce_refuses_what_has_no_negatives_or_no_pairs(shapes):
    with pytest.raises(ValueError, match=r"expected|at least two"):
        symmetric_infonce(torch.ones(shapes[0]), torch.ones(shapes[1]), 0.1)


def test_cosine_gap_is_0_1_2_for_equal_orthogonal_opposite():
    x = torch.tensor([[1.0, 0.0]])
    for other, gap in (([1.0, 0.0], 0), ([0.0, 1.0], 1), ([-1.0, 0.0], 2)):
        assert cosine_gap(x, torch.tensor([other])).item() == gap
