import pytest
import torch
import torch.nn.functional as F

from jepa_core.nn.conv_stem import ConvStem


def test_a_token_is_left_of_each_patch():
    stem = ConvStem(bands=3, input_size=64, patch_size=16, width=32).eval()
    assert stem(torch.zeros(2, 3, 64, 64)).shape == (2, 16, 32)
    assert stem(torch.zeros(2, 3, 48, 48)).shape == (2, 9, 32)


def test_tokens_go_row_by_row_and_views_of_another_size_get_the_table_stretched():
    stem = ConvStem(bands=1, input_size=32, patch_size=8, width=8).eval()
    dark = torch.zeros(1, 1, 32, 32)
    bare = stem(dark) - stem.position.flatten(2).transpose(1, 2)
    # The table over 4 x 4 tokens, on 2 x 2.
    stretched = F.interpolate(stem.position, size=(2, 2), mode="bilinear").flatten(2).transpose(1, 2)
    small = stem(dark[:, :, :16, :16])
    torch.testing.assert_close(small - stretched, bare[:, [5, 6, 9, 10]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((64, 12, 32), "a token of 12 pixels cannot be reached by halving"),
        ((64, 1, 32), "a token of 1 pixels cannot be reached by halving"),
        ((60, 16, 32), "do not go together"),
        ((64, 16, 12), "do not go together"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        ConvStem(3, *sizes)
