"""Where tokens lie, as vectors that are not trained."""

from timm.layers import build_sincos2d_pos_embed
from torch import Tensor


def sine_positions(grid: tuple[int, int], width: int) -> Tensor:
    """Sines and cosines of row and column at many wavelengths (Assran et al. 2023, appendix A).

    Args:
        grid: tokens along y and x.
        width: features of a token, a multiple of 4.

    Returns:
        (1, tokens, width), tokens row by row.
    """
    table: Tensor = build_sincos2d_pos_embed(list(grid), dim=width)
    return table[None]
