"""A sensor's images to tokens."""

import torch
from timm.layers import PatchEmbed
from torch import Tensor, nn


class Stem(nn.Module):
    """Cuts an image into square tokens, projects them and adds a learned position.

    A table a sensor is our reading of CR-JEPA: with one a predictor, too, it fits the published parameter count.
    """

    def __init__(self, bands: int, input_size: int, patch_size: int, width: int) -> None:
        super().__init__()
        self.embed = PatchEmbed(img_size=input_size, patch_size=patch_size, in_chans=bands, embed_dim=width)
        self.position = nn.Parameter(torch.empty(1, self.embed.num_patches, width))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, bands, y, x) to (batch, tokens, width)."""
        tokens: Tensor = self.embed(images)
        return tokens + self.position
