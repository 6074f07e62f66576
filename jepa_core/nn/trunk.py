"""The transformer that turns tokens into features."""

from timm.models.vision_transformer import Block
from torch import Tensor, nn


class Trunk(nn.Module):
    """A plain ViT body (Dosovitskiy et al. 2021): pre-norm blocks and a last norm; takes any subset of tokens."""

    def __init__(self, width: int, depth: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, mlp_ratio=mlp_ratio, qkv_bias=True) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, width) to the same shape."""
        features: Tensor = self.norm(self.blocks(tokens))
        return features
