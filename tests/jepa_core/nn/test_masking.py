import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.nn.masking import mean_over, random_mask, scatter, take


@given(
    batch=st.integers(1, 5),
    tokens=st.integers(2, 60),
    ratio=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_visible_and_masked_are_disjoint_sorted_and_cover_every_token(batch, tokens, ratio, seed):
    visible, masked = random_mask(batch, tokens, ratio, torch.Generator().manual_seed(seed))
    assert masked.shape == (batch, min(max(round(tokens * ratio), 1), tokens - 1))
    for v, m in zip(visible.tolist(), masked.tolist(), strict=True):
        assert v == sorted(v)
        assert m == sorted(m)
        assert sorted(v + m) == list(range(tokens))


def test_every_position_is_masked_equally_often_the_last_row_and_column_too():
    counts = torch.zeros(64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        _, masked = random_mask(64, 64, 0.5, generator)
        counts += torch.bincount(masked.ravel(), minlength=64)
    # 3,200 draws of one half: five standard deviations are 142.
    assert (counts - 1600).abs().max() < 142


def test_images_of_a_batch_have_masks_of_their_own_that_the_generator_decides():
    a, _ = random_mask(8, 36, 0.5, torch.Generator().manual_seed(1))
    b, _ = random_mask(8, 36, 0.5, torch.Generator().manual_seed(1))
    c, _ = random_mask(8, 36, 0.5, torch.Generator().manual_seed(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert len({tuple(row) for row in a.tolist()}) == 8


def test_one_token_cannot_be_split():
    with pytest.raises(ValueError, match="cannot be split"):
        random_mask(1, 1, 0.5, torch.Generator())


def test_take_gathers_each_image_s_own_tokens():
    tokens = torch.arange(2 * 5 * 3).reshape(2, 5, 3)
    index = torch.tensor([[0, 4], [1, 2]])
    expected = torch.stack([tokens[0, [0, 4]], tokens[1, [1, 2]]])
    assert torch.equal(take(tokens, index), expected)
    shared = tokens[:1]
    assert torch.equal(take(shared, index), torch.stack([tokens[0, [0, 4]], tokens[0, [1, 2]]]))


@given(seed=st.integers(0, 2**31), count=st.integers(1, 6))
def test_scatter_keeps_distinct_real_positions_and_as_many_as_there_are(seed, count):
    positions = torch.tensor([[4, 7, 9, 12], [1, 3, 0, 0]])
    present = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool()
    kept, real = scatter(positions, present, count, torch.Generator().manual_seed(seed))
    for of, source, flags, sources in zip(kept, positions, real, present, strict=True):
        found = of[flags].tolist()
        assert len(found) == len(set(found)) == min(count, int(sources.sum()))
        assert set(found) <= set(source[sources].tolist())


def test_the_mean_is_over_real_tokens_alone():
    tokens = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [7.0], [9.0]]])
    present = torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    assert mean_over(tokens, present).tolist() == [[2.0], [7.0]]
