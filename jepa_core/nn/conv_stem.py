"""A sensor's images to tokens by a few strided convolutions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvStem(nn.Module):
    """Halves the image with 3 x 3 convolutions until a token is left of each patch, then adds a learned position.

    Xiao et al. 2021, "Early Convolutions Help Transformers See Better" (arXiv 2106.14881), section 4. Tokens see a
    little beyond their patch, so that methods that mask tokens have to use another stem.
    """

    def __init__(self, bands: int, input_size: int, patch_size: int, width: int) -> None:
        """Random weights, from torch's global generator.

        Args:
            bands: of an image.
            input_size: side of a whole image, pixels.
            patch_size: side of a token, pixels; a power of two.
            width: features of a token; divisible by half the patch size.

        Raises:
            ValueError: sizes that do not go together.
        """
        super().__init__()
        halvings = patch_size.bit_length() - 1
        if patch_size != 2**halvings or halvings < 1:
            raise ValueError(f"a token of {patch_size} pixels cannot be reached by halving")
        if input_size % patch_size or width % 2 ** (halvings - 1):
            raise ValueError(f"{input_size} pixels, tokens of {patch_size} and width {width} do not go together")
        layers: list[nn.Module] = []
        given = bands
        for left in reversed(range(halvings)):
            made = width // 2**left
            layers += [nn.Conv2d(given, made, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(made), nn.GELU()]
            given = made
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, width, 1))
        side = input_size // patch_size
        self.position = nn.Parameter(torch.empty(1, width, side, side))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens of images of any size that the patch size divides, (batch, tokens, width).

        Positions of other sizes than `input_size` are the table's, stretched.

        Args:
            images: (batch, bands, y, x).
        """
        tokens: Tensor = self.layers(images)
        position: Tensor = self.position
        if tokens.shape[-2:] != position.shape[-2:]:
            position = F.interpolate(position, size=tokens.shape[-2:], mode="bilinear")
        return (tokens + position).flatten(2).transpose(1, 2)
