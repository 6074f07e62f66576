"""I-JEPA's predictor: a narrow ViT over context tokens and mask tokens."""

import torch
from torch import Tensor, nn

from jepa_core.nn.initialise import initialise_vit
from jepa_core.nn.masking import take
from jepa_core.nn.positions import sine_positions
from jepa_core.nn.trunk import Trunk


class NarrowPredictor(nn.Module):
    """Features of target tokens from those of the context (Assran et al. 2023, section 3 and released code)."""

    position: Tensor

    def __init__(
        self, width: int, narrow_width: int, depth: int, heads: int, mlp_ratio: float, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(width, narrow_width)
        self.query = nn.Parameter(torch.empty(1, 1, narrow_width))
        self.register_buffer("position", sine_positions(grid, narrow_width), persistent=False)
        self.trunk = Trunk(narrow_width, depth, heads, mlp_ratio)
        self.project = nn.Linear(narrow_width, width)
        initialise_vit(self)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(self, context: Tensor, seen: Tensor, wanted: Tensor, present: Tensor | None = None) -> Tensor:
        """Predicts each block of targets by itself.

        Args:
            context: features, (batch, seen, width).
            seen: positions of the context, (batch, seen).
            wanted: positions to predict, (batch, blocks, size).
            present: booleans (batch, seen), false where the context is padding.

        Returns:
            (batch, blocks, size, width).
        """
        batch, blocks, size = wanted.shape
        known = self.embed(context) + take(self.position, seen)
        known = known.repeat_interleave(blocks, dim=0)
        asked = self.query + take(self.position, wanted.reshape(batch * blocks, size))
        mask = None
        if present is not None:
            mask = torch.cat([present.repeat_interleave(blocks, dim=0), present.new_ones(batch * blocks, size)], dim=1)
        features = self.trunk(torch.cat([known, asked], dim=1), mask)
        predicted: Tensor = self.project(features[:, -size:])
        return predicted.reshape(batch, blocks, size, -1)
