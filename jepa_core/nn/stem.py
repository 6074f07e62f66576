"""A sensor's images to tokens."""

from typing import Literal

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from torch import Tensor, nn

from jepa_core.nn.patch_stem import PatchStem
from jepa_core.nn.positions import sine_positions

StemKind = Literal["linear", "hmlp"]
"""How a patch becomes a token: by one linear map, as in all the papers, or by several layers (`PatchStem`)."""


class Stem(nn.Module):
    """Cuts an image into square patches, makes each a token and adds a position, learned or fixed.

    A learned table a sensor is our reading of CR-JEPA: with one a predictor, too, it fits the published parameter
    count.
    """

    position: Tensor

    def __init__(
        self, bands: int, input_size: int, patch_size: int, width: int, kind: StemKind, learned_positions: bool
    ) -> None:
        super().__init__()
        if input_size % patch_size:
            raise ValueError(f"an image of {input_size} pixels is not cut evenly into tokens of {patch_size}")
        self.input_size = input_size
        side = input_size // patch_size
        self.grid = (side, side)
        self.embed: nn.Module
        if kind == "linear":
            self.embed = PatchEmbed(img_size=input_size, patch_size=patch_size, in_chans=bands, embed_dim=width)
        else:
            self.embed = PatchStem(bands, patch_size, width)
        if learned_positions:
            self.position = nn.Parameter(torch.empty(1, side * side, width))
            nn.init.trunc_normal_(self.position, std=0.02)
        else:
            self.register_buffer("position", sine_positions(self.grid, width), persistent=False)

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
