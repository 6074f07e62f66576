"""CR-JEPA's predictor: queries at the masked positions look at each other, then at the visible tokens."""

import torch
from timm.layers import Mlp
from torch import Tensor, nn

from jepa_core.nn.masking import take


class CrossPredictorBlock(nn.Module):
    """Self-attention of the queries, cross-attention to the context, MLP; pre-norm, each with a residual."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(width)
        self.attend_self = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm_cross = nn.LayerNorm(width)
        self.attend_cross = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden_features=int(width * mlp_ratio))

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """Queries (batch, masked, width) and context (batch, visible, width) to new queries."""
        x = self.norm_self(queries)
        queries = queries + self.attend_self(x, x, x, need_weights=False)[0]
        x = self.norm_cross(queries)
        queries = queries + self.attend_cross(x, context, context, need_weights=False)[0]
        updated: Tensor = queries + self.mlp(self.norm_mlp(queries))
        return updated


class CrossPredictor(nn.Module):
    """Features of masked tokens from those of visible ones (CR-JEPA section 3).

    Pre-norm, full width and a last norm are ours; the width fits the published parameter count.
    """

    def __init__(self, width: int, depth: int, heads: int, mlp_ratio: float, tokens: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.empty(1, tokens, width))
        nn.init.trunc_normal_(self.query, std=0.02)
        nn.init.trunc_normal_(self.position, std=0.02)
        self.blocks = nn.ModuleList(CrossPredictorBlock(width, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, context: Tensor, masked: Tensor) -> Tensor:
        """Predicts the features at the masked positions.

        Args:
            context: visible features, (batch, visible, width).
            masked: positions to predict, (batch, masked).

        Returns:
            (batch, masked, width).
        """
        queries = self.query + take(self.position, masked)
        for block in self.blocks:
            queries = block(queries, context)
        predicted: Tensor = self.norm(queries)
        return predicted
