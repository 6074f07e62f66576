import pytest
import torch

from jepa_core.losses.views import view_invariance


def test_it_is_the_mean_squared_distance_from_the_mean_of_the_central_views():
    views = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    by_hand = [
        (float(views[i, v, d]) - (float(views[i, 0, d]) + float(views[i, 1, d])) / 2) ** 2
        for i in range(3)
        for v in range(4)
        for d in range(5)
    ]
    assert view_invariance(views, 2).item() == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-5)


def test_views_that_agree_cost_nothing():
    assert view_invariance(torch.ones(3, 1, 5).expand(3, 4, 5), 1).item() == 0


@pytest.mark.parametrize("central", [0, 5])
def test_the_centre_needs_views_that_there_are(central):
    with pytest.raises(ValueError, match=f"{central} of 4 views cannot be central"):
        view_invariance(torch.zeros(2, 4, 3), central)
