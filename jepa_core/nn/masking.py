"""Which tokens a network sees and which it predicts."""

import torch
from torch import Generator, Tensor


def random_mask(batch: int, tokens: int, ratio: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Splits each image's tokens at random into visible and masked, a fixed number each.

    Args:
        batch: number of images; each gets a split of its own.
        tokens: tokens of an image.
        ratio: share that is masked; rounded to whole tokens, at least one on either side.
        generator: a CPU generator.

    Returns:
        Indices of the visible tokens, (batch, visible), and of the masked ones, (batch, masked). Both sorted; together
        each token once.

    Raises:
        ValueError: fewer than two tokens.
    """
    if tokens < 2:
        raise ValueError(f"an image of {tokens} token cannot be split into visible and masked")
    masked = min(max(round(tokens * ratio), 1), tokens - 1)
    order = torch.rand(batch, tokens, generator=generator).argsort(dim=1)
    return order[:, masked:].sort(dim=1).values, order[:, :masked].sort(dim=1).values


def scatter(positions: Tensor, present: Tensor, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Keeps some of each image's positions at random.

    Args:
        positions: (batch, positions).
        present: booleans of the same shape, false where a position is padding.
        count: how many are kept; all of an image's where it has fewer.
        generator: a CPU generator.

    Returns:
        Positions (batch, kept) and booleans of that shape, false where an image has fewer.
    """
    score = torch.rand(positions.shape, generator=generator).masked_fill(~present, 2.0)
    kept = score.argsort(dim=1)[:, :count]
    return positions.gather(1, kept), present.gather(1, kept)


def take(tokens: Tensor, index: Tensor) -> Tensor:
    """Tokens at each image's own positions.

    Args:
        tokens: (batch, tokens, width), or (1, tokens, width) shared by the batch.
        index: (batch, taken).

    Returns:
        (batch, taken, width).
    """
    tokens = tokens.expand(len(index), -1, -1)
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


def mean_over(tokens: Tensor, present: Tensor) -> Tensor:
    """Mean of each image's real tokens.

    Args:
        tokens: (batch, tokens, width).
        present: booleans (batch, tokens), false where a token is padding; one real token an image at least.

    Returns:
        (batch, width).
    """
    real = present[..., None].to(tokens.dtype)
    return (tokens * real).sum(dim=1) / real.sum(dim=1)
