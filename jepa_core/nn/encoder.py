"""A plain ViT over one sensor's images, as the I-JEPA family has it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_core.bounds import Count, Positive
from jepa_core.nn.initialise import initialise_vit
from jepa_core.nn.masking import take
from jepa_core.nn.pooling import mean_and_deviation
from jepa_core.nn.stem import Stem, StemKind
from jepa_core.nn.trunk import Trunk


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder, which the methods' configs begin with; the defaults are ViT-B/16."""

    input_size: Count = 224
    """Side that images are resized to, pixels."""

    patch_size: Count = 16
    """Side of a token, pixels."""

    width: Count = 768
    """Features of a token."""

    depth: Count = 12
    """Blocks of the encoder."""

    heads: Count = 12
    """Attention heads of the encoder."""

    mlp_ratio: Positive = 4.0
    """Hidden width of an MLP over the block's."""


@dataclass(frozen=True)
class MaskedEncoderConfig(EncoderConfig):
    """The same for methods that mask tokens."""

    stem: StemKind = "linear"
    """How a patch becomes a token. The papers' is linear; with several layers and batch norm retrieval is better by far
    at the sizes that train in minutes or hours (`docs/results.md`)."""


class Encoder(nn.Module):
    """ViT without class token, positions fixed by sines (Assran et al. 2023, appendix A)."""

    def __init__(self, config: MaskedEncoderConfig, bands: int) -> None:
        super().__init__()
        c = config
        self.stem = Stem(bands, c.input_size, c.patch_size, c.width, c.stem, learned_positions=False)
        self.trunk = Trunk(c.width, c.depth, c.heads, c.mlp_ratio)
        initialise_vit(self)

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens along y and x."""
        return self.stem.grid

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

    def levels(self, images: Tensor) -> dict[str, Tensor]:
        """Unit vectors of an image from all its tokens, as they enter the trunk and as they leave it.

        What a patch looks like is in the stem's tokens, and masked prediction wears it down on the way through the
        trunk (`docs/results.md`).

        Args:
            images: (batch, bands, y, x).

        Returns:
            `stem` and `trunk`, each (batch, 2 x width).
        """
        tokens = self.stem(images)
        return {"stem": mean_and_deviation(tokens), "trunk": mean_and_deviation(self.trunk(tokens))}

    @torch.no_grad()
    def targets(self, images: Tensor) -> Tensor:
        """Features of all tokens, layer-normed without parameters and without gradient, (batch, tokens, width)."""
        features: Tensor = self(images)
        return F.layer_norm(features, features.shape[-1:])
