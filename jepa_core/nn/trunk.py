"""The transformer that turns tokens into features."""

from timm.models.vision_transformer import Block
from torch import Tensor, nn


class Trunk(nn.Module):
    """A plain ViT body (Dosovitskiy et al. 2021): pre-norm blocks and a last norm; takes any subset of tokens."""

    def __init__(self, width: int, depth: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio=mlp_ratio, qkv_bias=True) for _ in range(depth))
        # 1e-6 as in every block of timm's.
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Tokens to features of the same shape.

        Args:
            tokens: (batch, tokens, width).
            present: booleans (batch, tokens), false where a token is padding that no other may look at; what
                comes out at such places means nothing.
        """
        mask = None if present is None else present[:, None, None, :]
        for block in self.blocks:
            tokens = block(tokens, attn_mask=mask)
        features: Tensor = self.norm(tokens)
        return features
