import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core.nn.views import ASPECT, draw_crops, draw_lighting, render


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unlit(images, views):
    lighting = torch.zeros(len(images), views, images.shape[1], 2)
    lighting[..., 0] = 1
    return lighting


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 0.9), st.floats(0, 0.1))
def test_crops_lie_in_their_image_and_have_the_area_that_was_asked_for(seed, low, more):
    crops = draw_crops(4, 3, (low, low + more), seeded(seed))
    corners = torch.tensor([[-1.0, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1]])
    placed = torch.einsum("bvij,cj->bvci", crops, corners)
    assert placed.abs().max() <= 1 + 1e-5
    area = torch.linalg.det(crops[..., :2]).abs()
    # A side that would be longer than the image is cut.
    assert (area <= low + more + 1e-5).all()
    whole = low * ASPECT <= 1
    if whole:
        fits = (low + more) * ASPECT <= 1
        assert not fits or (area >= low - 1e-5).all()


def test_a_crop_of_everything_is_one_of_the_eight_symmetries_of_its_image():
    image = torch.randn(1, 2, 8, 8, generator=seeded())
    symmetries = [
        np.rot90(m, k, axes=(1, 2)) for m in (image[0].numpy(), image[0].numpy()[:, :, ::-1]) for k in range(4)
    ]
    crops = draw_crops(1, 60, (1.0, 1.0), seeded(1))
    square = crops[..., :2] / crops[..., :2].abs().amax(dim=(-2, -1), keepdim=True)
    crops = torch.cat([square.round(), torch.zeros_like(crops[..., 2:])], dim=-1)
    views = render(image, crops, unlit(image, 60), 8).numpy()
    found = {min(range(8), key=lambda k: np.abs(view - symmetries[k]).max()) for view in views}
    assert found == set(range(8))
    assert all(min(np.abs(view - s).max() for s in symmetries) < 1e-4 for view in views)


def test_views_of_an_image_come_one_after_the_other():
    images = torch.arange(3.0).reshape(3, 1, 1, 1).expand(3, 1, 16, 16)
    views = render(images, draw_crops(3, 2, (0.2, 0.5), seeded()), unlit(images, 2), 8)
    assert views.shape == (6, 1, 8, 8)
    assert views.mean(dim=(1, 2, 3)).tolist() == [0, 0, 1, 1, 2, 2]


def test_lighting_stays_within_its_strength_and_nothing_changes_without():
    drawn = draw_lighting(500, 2, 3, 0.1, seeded())
    assert drawn.shape == (500, 2, 3, 2)
    assert (drawn[..., 0] - 1).abs().max() <= 0.2
    assert drawn[..., 1].abs().max() <= 0.45
    # Bands share the gain, and differ in their offset by less than each may move.
    assert torch.equal(drawn[..., 0], drawn[:, :, :1, 0].expand(-1, -1, 3))
    assert (drawn[..., 1].amax(-1) - drawn[..., 1].amin(-1)).max() <= 0.3
    still = draw_lighting(5, 2, 3, 0.0, seeded())
    assert (still[..., 0] == 1).all()
    assert (still[..., 1] == 0).all()


def test_gain_and_offset_are_those_of_each_band_of_each_view():
    images = torch.ones(1, 2, 4, 4)
    lighting = torch.tensor([[[[2.0, 0.5], [3.0, -1.0]], [[1.0, 0.0], [0.5, 1.0]]]])
    views = render(images, draw_crops(1, 2, (0.5, 0.5), seeded()), lighting, 4)
    torch.testing.assert_close(views.mean(dim=(2, 3)), torch.tensor([[2.5, 2.0], [1.0, 1.5]]))
