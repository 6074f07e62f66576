"""A plain ViT over one sensor's images, as the I-JEPA family has it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_core.nn.initialise import initialise_vit
from jepa_core.nn.masking import take
from jepa_core.nn.stem import Stem
from jepa_core.nn.trunk import Trunk


class Encoder(nn.Module):
    """ViT without class token, positions fixed by sines (Assran et al. 2023, appendix A)."""

    def __init__(
        self, bands: int, input_size: int, patch_size: int, width: int, depth: int, heads: int, mlp_ratio: float
    ) -> None:
        super().__init__()
        self.stem = Stem(bands, input_size, patch_size, width, learned_positions=False)
        self.trunk = Trunk(width, depth, heads, mlp_ratio)
        initialise_vit(self)

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens along y and x."""
        rows, columns = self.stem.embed.grid_size
        return rows, columns

    def forward(self, images: Tensor, seen: Tensor | None = None, present: Tensor | None = None) -> Tensor:
        """Features of an image's tokens, or of some of them.

        Args:
            images: (batch, bands, y, x).
            seen: positions of the tokens that the network sees, (batch, seen); all of them where None.
            present: booleans (batch, seen), false where a position is padding; all are real where None.

        Returns:
            (batch, tokens or seen, width).
        """
        tokens = self.stem(images)
        features: Tensor = self.trunk(tokens if seen is None else take(tokens, seen), present)
        return features

    def pooled(self, images: Tensor) -> Tensor:
        """Unit vector of an image: the mean of all its tokens, (batch, width)."""
        return F.normalize(self(images).mean(dim=1), dim=-1)

    @torch.no_grad()
    def targets(self, images: Tensor) -> Tensor:
        """Features of all tokens, layer-normed without parameters and without gradient, (batch, tokens, width)."""
        features: Tensor = self(images)
        return F.layer_norm(features, features.shape[-1:])
