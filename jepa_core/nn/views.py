"""Views of an image: parts of it, turned and lit otherwise.

What is drawn for a view goes with each image as numbers, so that a batch can be spread over parts and processes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from jepa_core.device import in_full

ASPECT = 4 / 3
"""Largest ratio of a crop's sides (Inception crops, Szegedy et al. 2015)."""


def draw_crops(batch: int, views: int, area: tuple[float, float], generator: Generator) -> Tensor:
    """Places, sizes and turns of crops, as affine maps from a view's coordinates to its image's.

    Quarter turns and mirrorings are drawn evenly: an image from above has no upper side.

    Args:
        batch: images.
        views: crops of each.
        area: least and greatest share of the image's area.
        generator: a CPU generator.

    Returns:
        (batch, views, 2, 3), on coordinates from -1 to 1 as `torch.nn.functional.affine_grid` takes them.
    """
    low, high = area
    share, tall, right, down = torch.rand(4, batch, views, generator=generator)
    share = low + (high - low) * share
    aspect = torch.exp((2 * tall - 1) * math.log(ASPECT))
    half_x, half_y = (share * aspect).sqrt().clamp(max=1), (share / aspect).sqrt().clamp(max=1)
    turn = torch.randint(8, (batch, views), generator=generator)
    angle = (turn % 4) * (math.pi / 2)
    cosine, sine = angle.cos().round(), angle.sin().round()
    mirrored = torch.where(turn >= 4, -1.0, 1.0)
    crops = torch.zeros(batch, views, 2, 3)
    crops[..., 0, 0], crops[..., 0, 1] = half_x * cosine * mirrored, -half_x * sine
    crops[..., 1, 0], crops[..., 1, 1] = half_y * sine * mirrored, half_y * cosine
    crops[..., 0, 2], crops[..., 1, 2] = (2 * right - 1) * (1 - half_x), (2 * down - 1) * (1 - half_y)
    return crops


def draw_lighting(batch: int, views: int, bands: int, strength: float, generator: Generator) -> Tensor:
    """Gain and offset of each band of a view, mild enough to leave a class its colour.

    The gain is common to all bands and within 1 +- 2 x `strength`; the offset, in deviations of a band, is a common
    one of up to 3 x `strength` plus one a band of up to 1.5 x `strength`. Ours.

    Args:
        batch: images.
        views: of each.
        bands: of an image.
        strength: 0 leaves views as they are.
        generator: a CPU generator.

    Returns:
        (batch, views, bands, 2): gain and offset.
    """
    gain, common = 2 * torch.rand(2, batch, views, 1, generator=generator) - 1
    own = 2 * torch.rand(batch, views, bands, generator=generator) - 1
    gains = (1 + 2 * strength * gain).expand(-1, -1, bands)
    return torch.stack([gains, 3 * strength * common + 1.5 * strength * own], dim=-1)


def render(images: Tensor, crops: Tensor, lighting: Tensor, side: int) -> Tensor:
    """Views of normalised images, all of one size, bilinearly.

    Args:
        images: (batch, bands, y, x), mean 0 and deviation 1 a band.
        crops: (batch, views, 2, 3).
        lighting: (batch, views, bands, 2).
        side: of a view, pixels.

    Returns:
        (batch x views, bands, side, side), the views of an image one after the other.
    """
    bands, views = images.shape[1], crops.shape[1]
    with in_full(images):  # in bfloat16 places are off by up to a quarter of a pixel of 120
        size = [len(images) * views, bands, side, side]
        grid = F.affine_grid(crops.flatten(0, 1).to(images), size, align_corners=False)
    repeated = images.repeat_interleave(views, dim=0)
    cut = F.grid_sample(repeated, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    gain, offset = lighting.flatten(0, 1)[..., None, None, :].to(images).unbind(dim=-1)
    return cut * gain + offset
