"""MAE, the baseline that predicts pixels: the encoder of I-JEPA, another task; an encoder a sensor.

He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners" (arXiv 2111.06377), section 3. Encoder, sizes and
recipes are those of `ijepa.py`, so that the two compare at equal size and budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from jepa_core.bounds import Count, Share
from jepa_core.nn.encoder import Encoder, MaskedEncoderConfig
from jepa_core.nn.initialise import initialise_vit
from jepa_core.nn.masking import random_mask, take
from jepa_core.nn.positions import sine_positions
from jepa_core.nn.trunk import Trunk
from jepa_core.variants import ijepa
from jepa_core.variants.per_sensor import PerSensor, SensorLoss, SensorNetwork
from jepa_core.variants.variant import Roles


@dataclass(frozen=True)
class MAEConfig(MaskedEncoderConfig):
    """Sizes and masks; the defaults are the paper's ViT-B/16 (size `paper`)."""

    decoder_width: Count = 512
    """Features of a token in the decoder."""

    decoder_depth: Count = 8
    """Blocks of the decoder."""

    decoder_heads: Count = 16
    """Attention heads of the decoder."""

    mask_ratio: Share = 0.75
    """Share of tokens that is masked."""

    normalise_pixels: bool = True
    """Whether a token's pixels, all bands together, are brought to mean 0 and deviation 1 before they are predicted;
    the paper's better form."""


SIZES = {
    "tiny": MAEConfig(
        input_size=120,
        patch_size=20,
        stem="hmlp",
        width=128,
        depth=4,
        heads=4,
        decoder_width=64,
        decoder_depth=2,
        decoder_heads=4,
    ),
    "small": MAEConfig(
        input_size=120,
        patch_size=10,
        stem="hmlp",
        width=384,
        heads=6,
        decoder_width=256,
        decoder_depth=4,
        decoder_heads=8,
    ),
    "paper": MAEConfig(),
}

RECIPES = ijepa.RECIPES
"""I-JEPA's, for the comparison; the paper's own trains longer (800 to 1,600 epochs of batch 4,096)."""


class MAENetwork(SensorNetwork):
    """MAE on one sensor."""

    def __init__(self, config: MAEConfig, bands: int) -> None:
        """Random weights, from torch's global generator."""
        super().__init__()
        c = self.config = config
        self.encoder = Encoder(c, bands)
        self.decoder = Decoder(config, bands, self.encoder.grid)

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """A random mask an image."""
        rows, columns = self.encoder.grid
        visible, masked = random_mask(batch, rows * columns, self.config.mask_ratio, generator)
        return {"visible": visible, "masked": masked}

    def forward(self, images: Tensor, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Reconstructs the pixels of masked tokens from the visible ones."""
        visible, masked = drawn["visible"], drawn["masked"]
        features = self.encoder(images, visible)
        reconstructed = self.decoder(features, visible, masked)
        target = take(self._pixels(images), masked)
        error = F.mse_loss(reconstructed, target, reduction="none").flatten(1).mean(dim=1)
        return {"reconstruction": error, "context": features.mean(dim=1)}

    def loss(self, rows: Mapping[str, Tensor]) -> SensorLoss:
        """Squared error over masked tokens only (section 3, "Reconstruction target")."""
        error = rows["reconstruction"].mean()
        return SensorLoss(error, {"reconstruction": error}, {"context": rows["context"]})

    def levels(self, images: Tensor) -> dict[str, Tensor]:
        """From all tokens, as the paper fine-tunes without a class token; levels and pooling are ours."""
        return self.encoder.levels(images)

    def roles(self) -> Roles:
        """No target network: pixels are the target."""
        return Roles([self.encoder], [self.decoder])

    def paper_parameters(self) -> int:
        """The encoder, as papers that name a ViT-B do."""
        return sum(p.numel() for p in self.encoder.parameters())

    def _pixels(self, images: Tensor) -> Tensor:
        """(batch, tokens, pixels of a token in all bands)."""
        side = self.config.patch_size
        tokens = F.unfold(self.encoder.stem.resized(images).float(), side, stride=side).transpose(1, 2)
        if not self.config.normalise_pixels:
            return tokens
        # Tokens without any measurement are constant: they stay 0.
        spread = (tokens.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        return (tokens - tokens.mean(dim=-1, keepdim=True)) / spread


class Decoder(nn.Module):
    """A narrow ViT over visible features and mask tokens that ends in pixels (section 3, "MAE decoder")."""

    position: Tensor

    def __init__(self, config: MAEConfig, bands: int, grid: tuple[int, int]) -> None:
        super().__init__()
        c = config
        self.embed = nn.Linear(c.width, c.decoder_width)
        self.query = nn.Parameter(torch.empty(1, 1, c.decoder_width))
        self.register_buffer("position", sine_positions(grid, c.decoder_width), persistent=False)
        self.trunk = Trunk(c.decoder_width, c.decoder_depth, c.decoder_heads, c.mlp_ratio)
        self.project = nn.Linear(c.decoder_width, bands * c.patch_size**2)
        initialise_vit(self)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(self, features: Tensor, visible: Tensor, masked: Tensor) -> Tensor:
        """Features (batch, visible, width) to pixels (batch, masked, pixels of a token in all bands)."""
        known = self.embed(features) + take(self.position, visible)
        asked = self.query + take(self.position, masked)
        decoded = self.trunk(torch.cat([known, asked], dim=1))
        pixels: Tensor = self.project(decoded[:, -masked.shape[1] :])
        return pixels


class MAE(PerSensor):
    """An MAE a sensor."""

    network = MAENetwork
    whitened = ("stem", "trunk")
