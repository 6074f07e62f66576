import math

import numpy as np
import pytest
import torch

from jepa_core.nn.ema import follow, follower
from jepa_core.nn.encoder import Encoder, MaskedEncoderConfig
from jepa_core.nn.forecaster import Forecaster
from jepa_core.nn.narrow_predictor import NarrowPredictor
from jepa_core.nn.positions import sine_positions
from jepa_core.nn.stem import Stem


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(
        MaskedEncoderConfig(input_size=32, patch_size=8, width=32, depth=3, heads=2, mlp_ratio=2.0), bands=3
    ).eval()


def images(count=2, seed=0):
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_padding_changes_nothing_about_the_tokens_that_are_there(encoder):
    seen = torch.tensor([[3, 5, 11], [0, 7, 15]])
    padded = torch.tensor([[3, 5, 11, 0, 0], [0, 7, 15, 9, 0]])
    present = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 0, 0]]).bool()
    plain, masked = encoder(images(), seen), encoder(images(), padded, present)
    torch.testing.assert_close(masked[:, :3], plain, rtol=1e-4, atol=1e-5)


def test_it_sees_only_the_tokens_it_is_given(encoder):
    seen = torch.arange(1, 16)[None]
    other = images(1)
    other[..., :8, :8] = 7.0
    assert torch.equal(encoder(images(1), seen), encoder(other, seen))


def test_tokens_are_squares_counted_row_by_row(encoder):
    changed = images(1)
    changed[..., 8:16, 24:32] += 1.0
    tokens = [encoder.stem(i) for i in (images(1), changed)]
    differs = (tokens[0] != tokens[1]).any(dim=-1)[0]
    assert differs.nonzero().ravel().tolist() == [7]


def test_positions_are_sines_and_cosines_of_row_and_column_and_not_trained(encoder):
    table = sine_positions((4, 4), 8)[0].numpy()
    rates = [1.0, 10000 ** (-1 / 2)]
    for token in range(16):
        row, column = divmod(token, 4)
        angles = [place * rate for place in (row, column) for rate in rates]
        expected = sorted([math.sin(a) for a in angles] + [math.cos(a) for a in angles])
        np.testing.assert_allclose(sorted(table[token]), expected, atol=1e-6)
    assert len({tuple(row) for row in table.round(5).tolist()}) == 16
    assert "stem.position" not in dict(encoder.named_parameters())
    # Not part of a model's weights either: they follow from the sizes.
    assert not any("position" in name for name in encoder.state_dict())


def test_random_weights_are_narrow_and_deep_branches_start_smaller(encoder):
    first, last = encoder.trunk.blocks[0], encoder.trunk.blocks[2]
    assert first.attn.qkv.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert first.mlp.fc1.bias.abs().max() == 0
    for of in (lambda b: b.attn.proj.weight, lambda b: b.mlp.fc2.weight):
        assert of(first).std().item() == pytest.approx(0.02 / math.sqrt(2), rel=0.1)
        assert of(last).std().item() == pytest.approx(0.02 / math.sqrt(6), rel=0.1)


def test_images_of_another_size_are_brought_to_the_network_s(encoder):
    assert encoder(torch.randn(2, 3, 50, 50)).shape == (2, 16, 32)
    stem = Stem(3, 32, 8, 16, "linear", learned_positions=True)
    constant = torch.full((1, 3, 20, 20), 2.0)
    torch.testing.assert_close(stem.resized(constant), torch.full((1, 3, 32, 32), 2.0))


def test_a_follower_moves_by_the_rest_of_the_momentum():
    online = torch.nn.Linear(2, 2)
    target = follower(online)
    assert not any(p.requires_grad for p in target.parameters())
    assert all(p.requires_grad for p in online.parameters())
    with torch.no_grad():
        online.weight.add_(10.0)
    expected = 0.75 * target.weight + 0.25 * online.weight
    follow(target, online, 0.75)
    torch.testing.assert_close(target.weight, expected)


def test_the_narrow_predictor_predicts_each_block_by_itself():
    torch.manual_seed(0)
    predictor = NarrowPredictor(32, 16, depth=2, heads=2, mlp_ratio=2.0, grid=(4, 4)).eval()
    context, seen = torch.randn(2, 5, 32), torch.tensor([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    wanted = torch.tensor([[[10, 11], [12, 13]], [[14, 15], [0, 1]]])
    both = predictor(context, seen, wanted)
    assert both.shape == (2, 2, 2, 32)
    for block in range(2):
        alone = predictor(context, seen, wanted[:, block : block + 1])
        torch.testing.assert_close(both[:, block], alone[:, 0], rtol=1e-4, atol=1e-5)


def test_the_forecaster_looks_at_the_context_at_the_view_and_at_the_places():
    torch.manual_seed(0)
    forecaster = Forecaster(32, 16, depth=1, heads=2, mlp_ratio=2.0, grid=(4, 4)).eval()
    queries = torch.randn(1, 3, 16)
    context, view = torch.randn(1, 4, 32), torch.randn(1, 4, 32)
    seen, wanted = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[8, 9]])
    whole = forecaster(queries, context, view, seen, wanted)
    assert whole.shape == (1, 2, 32)
    others = (
        (torch.randn(1, 3, 16), context, view, seen, wanted),
        (queries, torch.randn(1, 4, 32), view, seen, wanted),
        (queries, context, torch.randn(1, 4, 32), seen, wanted),
        (queries, context, view, seen.flip(1), wanted),
        (queries, context, view, seen, wanted + 1),
    )
    for other in others:
        assert not torch.allclose(forecaster(*other), whole, rtol=0, atol=1e-7)
    # A prediction's place in the list means nothing.
    torch.testing.assert_close(
        forecaster(queries, context, view, seen, wanted.flip(1)), whole.flip(1), rtol=1e-4, atol=1e-5
    )
