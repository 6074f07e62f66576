"""X-JEPA's predictor: queries and one sensor's context look at each other, then at the other sensor's context."""

import torch
from torch import Tensor, nn

from jepa_core.nn.cross_predictor import CrossPredictorBlock
from jepa_core.nn.initialise import initialise_vit
from jepa_core.nn.masking import take
from jepa_core.nn.positions import sine_positions


class Forecaster(nn.Module):
    """Features of target tokens from learned queries, one sensor's context and a view of the other's (section 3.4).

    The paper's sequence is queries and context, to whose output mask tokens are added; as it has another length than
    the targets have, ours carries the mask tokens along from the start and reads the prediction at their places: the
    residual adds them to what comes out. Pre-norm, narrow width and a last projection are ours.
    """

    position: Tensor

    def __init__(
        self, width: int, narrow_width: int, depth: int, heads: int, mlp_ratio: float, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(width, narrow_width)
        self.embed_view = nn.Linear(width, narrow_width)
        self.query = nn.Parameter(torch.empty(1, 1, narrow_width))
        self.register_buffer("position", sine_positions(grid, narrow_width), persistent=False)
        self.blocks = nn.ModuleList(CrossPredictorBlock(narrow_width, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(narrow_width, eps=1e-6)
        self.project = nn.Linear(narrow_width, width)
        initialise_vit(self)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(self, queries: Tensor, context: Tensor, view: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
        """Predicts the features at the wanted positions.

        Args:
            queries: learned, (1, queries, narrow width).
            context: features of the sensor that is predicted from, (batch, seen, width).
            view: features that the cross-attention looks at, (batch, seen, width).
            seen: positions of both, (batch, seen).
            wanted: positions to predict, (batch, wanted).

        Returns:
            (batch, wanted, width).
        """
        places = take(self.position, seen)
        asked = self.query + take(self.position, wanted)
        sequence = torch.cat([queries.expand(len(context), -1, -1), self.embed(context) + places, asked], dim=1)
        looked_at = self.embed_view(view) + places
        for block in self.blocks:
            sequence = block(sequence, looked_at)
        predicted: Tensor = self.project(self.norm(sequence[:, -wanted.shape[1] :]))
        return predicted
