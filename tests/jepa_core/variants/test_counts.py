"""Parameters in size `paper`, as the papers count them."""

import pytest
import torch

from jepa_core.variants import registry
from tests.jepa_core.variants.small import BANDS


def in_size_paper(variant):
    method = registry.method(variant)
    with torch.device("meta"):
        return method.build(method.sizes["paper"], BANDS)


@pytest.mark.parametrize(("variant", "published"), [("rejepa", 197.09), ("xjepa", 172.86), ("crjepa", 117.93)])
def test_the_counts_are_the_published_ones(variant, published):
    assert in_size_paper(variant).paper_parameters() / 1e6 == pytest.approx(published, abs=0.1)


def test_rejepa_is_two_encoders_and_a_predictor_with_their_positions_and_xjepa_two_encoders_without():
    # docs/design.md and the notes' arithmetic: 197.094 M and 172.866 M.
    assert in_size_paper("rejepa").paper_parameters() == 197_094_144
    assert in_size_paper("xjepa").paper_parameters() == 172_866_048
    assert in_size_paper("crjepa").paper_parameters() == 117_945_344


def test_mae_and_ijepa_have_the_same_encoder_in_every_size():
    for size in ("tiny", "small", "paper"):
        counts = []
        for variant in ("ijepa", "mae"):
            method = registry.method(variant)
            with torch.device("meta"):
                counts.append(method.build(method.sizes[size], BANDS).paper_parameters())
        assert counts[0] == counts[1]
        assert registry.method("ijepa").recipes[size] == registry.method("mae").recipes[size]


def test_a_vit_b_of_twelve_bands_counted_by_hand():
    width = 768
    block = 4 * width**2 + 4 * width + 8 * width**2 + 5 * width + 4 * width
    embed = 12 * 16**2 * width + width
    assert in_size_paper("ijepa").paper_parameters() == 12 * block + embed + 2 * width
