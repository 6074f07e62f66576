"""Tokens of patches by several layers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.nn.patch_stem import PatchStem, window_sides
from jepa_core.nn.stem import Stem


@pytest.mark.parametrize(
    ("patch", "sides"), [(16, (4, 2, 2)), (8, (2, 2, 2)), (20, (2, 2, 5)), (10, (2, 5)), (7, (7,))]
)
def test_windows_are_the_published_ones_at_16_pixels_and_the_prime_factors_elsewhere(patch, sides):
    assert window_sides(patch) == sides


@given(st.integers(1, 64))
def test_windows_make_up_the_patch_in_three_layers_at_most(patch):
    sides = window_sides(patch)
    assert torch.tensor(sides).prod() == patch
    assert 1 <= len(sides) <= 3


@pytest.mark.parametrize("patch", [4, 5, 8])
def test_no_token_sees_over_the_edges_of_its_patch(patch):
    stem = PatchStem(bands=2, patch_size=patch, width=8).eval()
    image = torch.randn(1, 2, 3 * patch, 3 * patch)
    other = torch.randn(1, 2, 3 * patch, 3 * patch)
    # The sixth of nine patches, row by row.
    place = (..., slice(patch, 2 * patch), slice(2 * patch, 3 * patch))
    other[place] = image[place]
    with torch.no_grad():
        same = (stem(image) == stem(other)).all(dim=-1)[0]
    assert same.tolist() == [token == 5 for token in range(9)]


def test_how_bright_a_patch_is_stays_in_its_token():
    torch.manual_seed(0)
    stem = PatchStem(bands=1, patch_size=4, width=16).eval()
    with torch.no_grad():
        norms = [stem(torch.full((1, 1, 4, 4), value)).norm().item() for value in (1.0, 2.0, 3.0)]
    assert norms == sorted(norms)
    assert norms[-1] > 2 * norms[0]


def test_a_stem_of_either_kind_has_as_many_tokens_and_says_where_an_image_cannot_be_cut():
    for kind in ("linear", "hmlp"):
        stem = Stem(3, 32, 8, 16, kind, learned_positions=False)
        assert stem(torch.randn(2, 3, 32, 32)).shape == (2, 16, 16)
        with pytest.raises(ValueError, match="32 pixels is not cut evenly into tokens of 6"):
            Stem(3, 32, 6, 16, kind, learned_positions=False)


def test_a_single_image_has_the_gradient_that_it_has_in_a_batch():
    stem = PatchStem(bands=2, patch_size=4, width=8).eval()
    images = torch.randn(3, 2, 8, 8)

    def gradient(given):
        given = given.clone().requires_grad_()
        # The gradient comes with the features last, as from a transformer.
        (stem(given) * torch.linspace(0, 1, 32).reshape(4, 8)).sum().backward()
        return given.grad

    torch.testing.assert_close(gradient(images[1:2]), gradient(images)[1:2])
