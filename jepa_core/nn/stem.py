"""A sensor's images to tokens."""

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from torch import Tensor, nn

from jepa_core.nn.positions import sine_positions


class Stem(nn.Module):
    """Cuts an image into square tokens, projects them and adds a position, learned or fixed.

    A learned table a sensor is our reading of CR-JEPA: with one a predictor, too, it fits the published parameter
    count.
    """

    position: Tensor

    def __init__(self, bands: int, input_size: int, patch_size: int, width: int, learned_positions: bool) -> None:
        super().__init__()
        self.embed = PatchEmbed(img_size=input_size, patch_size=patch_size, in_chans=bands, embed_dim=width)
        self.input_size = input_size
        if learned_positions:
            self.position = nn.Parameter(torch.empty(1, self.embed.num_patches, width))
            nn.init.trunc_normal_(self.position, std=0.02)
        else:
            self.register_buffer("position", sine_positions(self.embed.grid_size, width), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images to (batch, tokens, width); images of another size are brought to the network's first."""
        tokens: Tensor = self.embed(self.resized(images))
        return tokens + self.position

    def resized(self, images: Tensor) -> Tensor:
        """Images at the network's size, (batch, bands, input_size, input_size), bilinearly."""
        return resized(images, self.input_size)


def resized(images: Tensor, side: int) -> Tensor:
    """Images of any size at `side` x `side` pixels, bilinearly; those that are so large already as they are."""
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
