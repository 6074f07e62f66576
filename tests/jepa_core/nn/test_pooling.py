"""Tokens to one vector."""

import torch
import torch.nn.functional as F

from jepa_core.nn.pooling import mean_and_deviation


def test_both_parts_are_equally_long_and_worked_out_by_hand():
    tokens = torch.tensor([[[1.0, 4.0], [3.0, 4.0]]])
    # Mean (2, 4), deviation (1, 0); each over its norm, both over the root of 2.
    wanted = torch.tensor([[2 / 20**0.5, 4 / 20**0.5, 1.0, 0.0]]) / 2**0.5
    torch.testing.assert_close(mean_and_deviation(tokens), wanted)


def test_texture_counts_where_the_mean_is_the_same_and_the_order_of_tokens_does_not():
    smooth = torch.ones(1, 6, 4)
    rough = smooth + torch.tensor([-0.5, 0.5] * 3)[None, :, None]
    assert F.cosine_similarity(*(mean_and_deviation(t) for t in (smooth, rough))) < 0.9
    tokens = torch.randn(2, 6, 4)
    torch.testing.assert_close(mean_and_deviation(tokens), mean_and_deviation(tokens.flip(1)))


def test_tokens_that_are_all_alike_give_a_unit_vector():
    torch.testing.assert_close(mean_and_deviation(torch.ones(3, 5, 4)).norm(dim=1), torch.ones(3))
