import itertools
import math
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.nn import block_masking
from jepa_core.nn.block_masking import block_masks

RELEASED = {
    "blocks": 4,
    "target_scale": (0.15, 0.2),
    "target_aspect": (0.75, 1.5),
    "context_scale": (0.85, 1.0),
    "least_context": 10,
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def masks(batch=8, rows=14, columns=14, seed=0, **settings):
    return block_masks(batch, rows, columns, **{**RELEASED, **settings}, generator=generator(seed))


def images(m):
    """Each image's context without padding, and its target blocks, as lists."""
    for context, present, targets in zip(m.context, m.present, m.targets, strict=True):
        yield context[present].tolist(), targets.tolist()


def rectangle(block, columns):
    """Height and width of positions that must be all of a rectangle, in order."""
    rows, places = sorted({p // columns for p in block}), sorted({p % columns for p in block})
    assert rows == list(range(rows[0], rows[-1] + 1))
    assert places == list(range(places[0], places[-1] + 1))
    assert block == [r * columns + c for r in rows for c in places]
    return len(rows), len(places)


def ranges(least, greatest):
    return st.tuples(st.floats(least, greatest), st.floats(least, greatest)).map(lambda pair: tuple(sorted(pair)))


@given(
    batch=st.integers(1, 6),
    rows=st.integers(4, 16),
    columns=st.integers(4, 16),
    blocks=st.integers(1, 4),
    target_scale=ranges(0.01, 0.2),
    target_aspect=ranges(0.3, 3),
    context_scale=ranges(0.1, 1),
    least_context=st.integers(1, 20),
    seed=st.integers(0, 2**31),
)
def test_contexts_avoid_targets_are_long_enough_and_targets_are_rectangles_of_one_size(
    batch, rows, columns, blocks, least_context, seed, **ranges_given
):
    m = masks(batch, rows, columns, seed, blocks=blocks, least_context=least_context, **ranges_given)
    sizes = set()
    for context, targets in images(m):
        hidden = {p for block in targets for p in block}
        assert len(targets) == blocks
        assert context == sorted(set(context))
        assert set(context) <= set(range(rows * columns)) - hidden
        assert len(context) >= min(least_context, rows * columns - len(hidden))
        assert context
        sizes |= {rectangle(block, columns) for block in targets}
    assert len(sizes) == 1
    (size,) = sizes
    low, high = (s * rows * columns for s in ranges_given["target_scale"])
    flat, tall = ranges_given["target_aspect"]
    assert min(rows, max(1, round(math.sqrt(low * flat)))) <= size[0] <= max(1, round(math.sqrt(high * tall)))
    assert min(columns, max(1, round(math.sqrt(low / tall)))) <= size[1] <= max(1, round(math.sqrt(high / flat)))


@given(batch=st.integers(1, 6), rows=st.integers(4, 16), columns=st.integers(4, 16), seed=st.integers(0, 2**31))
def test_padding_stands_at_the_end_is_0_and_only_as_long_as_the_longest_context_asks(batch, rows, columns, seed):
    m = masks(batch, rows, columns, seed)
    assert m.present.dtype == torch.bool
    assert m.present.sum(dim=1).max() == m.context.shape[1]
    for context, present in zip(m.context.tolist(), m.present.tolist(), strict=True):
        length = sum(present)
        assert present == [True] * length + [False] * (len(context) - length)
        assert not any(context[length:])


def shares(rows, columns, height, width):
    """Share of a block's places that cover each position, all places counted."""
    places = list(itertools.product(range(rows - height + 1), range(columns - width + 1)))
    covering = [
        sum(top <= r < top + height and left <= c < left + width for top, left in places)
        for r, c in itertools.product(range(rows), range(columns))
    ]
    return torch.tensor(covering) / len(places)


def test_every_position_is_target_and_context_as_often_as_the_geometry_says_last_row_and_column_too():
    rows, columns, batch = 6, 5, 20_000
    # 30 tokens: of 0.2, blocks of 2 x 2; of 0.5, a context of 4 x 4, of which three blocks leave 4 at least.
    scales = {"target_scale": (0.2, 0.2), "target_aspect": (1, 1), "context_scale": (0.5, 0.5)}
    m = masks(batch, rows, columns, blocks=3, least_context=1, **scales)
    margin = 5 * math.sqrt(0.25 / batch)
    target = shares(rows, columns, 2, 2)
    for block in range(3):
        got = torch.bincount(m.targets[:, block].ravel(), minlength=30) / batch
        assert (got - target).abs().max() < margin
        assert got[-1] == pytest.approx(1 / ((rows - 2 + 1) * (columns - 2 + 1)), abs=margin)
    expected = shares(rows, columns, 4, 4) * (1 - target) ** 3
    got = torch.bincount(m.context[m.present], minlength=30) / batch
    assert (got - expected).abs().max() < margin
    assert got.min() > 0


def test_images_of_a_batch_have_masks_of_their_own_that_the_generator_decides():
    a, b, c = masks(seed=1), masks(seed=1), masks(seed=2)
    assert torch.equal(a.targets, b.targets)
    assert torch.equal(a.context, b.context)
    assert not torch.equal(a.targets, c.targets)
    assert len({str(targets) for _, targets in images(a)}) == 8


def test_the_global_generator_is_neither_read_nor_moved():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = masks()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(masks().targets, first.targets)


def test_no_context_is_cut_to_the_batch_s_shortest():
    # A context of the whole grid: what each image should see is all that its own targets leave.
    m = masks(batch=32, context_scale=(1.0, 1.0))
    lengths = set()
    for context, targets in images(m):
        assert context == sorted(set(range(196)) - {p for block in targets for p in block})
        lengths.add(len(context))
    assert len(lengths) > 5


def test_scale_and_aspect_vary_apart_from_call_to_call():
    settings = {"target_scale": (0.05, 0.2), "target_aspect": (0.5, 2.0)}
    sizes = {rectangle(masks(1, 16, 16, seed, **settings).targets[0, 0].tolist(), 16) for seed in range(150)}
    for wanted in (lambda area: area < 20, lambda area: area > 40):
        aspects = [height / width for height, width in sizes if wanted(height * width)]
        assert min(aspects) < 0.75
        assert max(aspects) > 1.5


def test_an_image_short_of_context_draws_places_anew_until_it_has_enough():
    # Target and context are 4 x 4 in 8 x 8: in about half of the draws they share no more than 4 tokens.
    scales = {"target_scale": (0.25, 0.25), "target_aspect": (1, 1), "context_scale": (0.25, 0.25)}
    m = masks(64, 8, 8, blocks=1, least_context=12, **scales)
    lengths = m.present.sum(dim=1)
    assert lengths.min() >= 12
    # None of them had to take every token that its target leaves free.
    assert lengths.max() <= 16
    once = masks(64, 8, 8, blocks=1, least_context=1, **scales).present.sum(dim=1)
    assert once.min() < 12


def test_where_no_draw_is_enough_the_context_is_all_that_targets_leave_free():
    for context, targets in images(masks(batch=4, rows=8, columns=8, context_scale=(0.05, 0.05), least_context=30)):
        assert context == sorted(set(range(64)) - {p for block in targets for p in block})


def test_targets_that_might_cover_a_small_grid_leave_it_a_token_however_much_context_is_asked_for():
    # Four blocks of 2 x 2 tile 4 x 4 in one of 273 draws.
    m = masks(2000, 4, 4, blocks=4, target_scale=(0.2, 0.2), target_aspect=(1, 1), least_context=16)
    assert m.present.any(dim=1).all()


def test_places_are_drawn_anew_at_most_20_times():
    with patch.object(block_masking, "_placed", wraps=block_masking._placed) as placed:
        masks(batch=3, context_scale=(0.05, 0.05), least_context=100)
    # Targets and context each time.
    assert placed.call_count == 2 * 21


@pytest.mark.parametrize(
    "settings",
    [
        {"blocks": 0},
        {"least_context": 0},
        {"blocks": 4, "target_scale": (0.1, 0.25)},
        {"blocks": 1, "target_scale": (1.0, 1.0)},
    ],
)
def test_settings_without_targets_or_without_sure_context_are_refused(settings):
    with pytest.raises(ValueError, match=r"at least one|no context"):
        masks(**settings)


def test_targets_that_rounding_makes_the_whole_grid_are_refused():
    with pytest.raises(ValueError, match="no context on a grid"):
        masks(rows=2, columns=2, blocks=1, target_scale=(0.9, 0.9), target_aspect=(1, 1))
