"""Multi-block masks: predict several blocks of an image from one large block around them.

Source: I-JEPA (Assran et al. 2023, section 3) and its released configuration. Other than in the released code, blocks
reach the last row and column, no token is cut from a mask to make the batch's masks equally long, and a block's scale
and aspect are independent draws (there one random number sets both).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

REDRAWS = 20


@dataclass(frozen=True)
class BlockMasks:
    """What each image's network sees and predicts, as positions of tokens counted row by row."""

    context: Tensor
    """(batch, longest): positions of the context's tokens, ascending, padded with 0 at the end."""

    present: Tensor
    """(batch, longest), booleans: false where padded."""

    targets: Tensor
    """(batch, blocks, size): positions of each target block's tokens, ascending. Blocks of an image may overlap."""


def block_masks(
    batch: int,
    rows: int,
    columns: int,
    blocks: int,
    target_scale: tuple[float, float],
    target_aspect: tuple[float, float],
    context_scale: tuple[float, float],
    least_context: int,
    generator: Generator,
) -> BlockMasks:
    """Draws target blocks and, without their tokens, a context block for each image.

    The sizes are drawn once a call, so that all images have as many target tokens; the places are each image's own. An
    image whose context keeps fewer than `least_context` tokens draws its places anew, up to 20 times; after that it
    takes of these targets those that leave most tokens free, and all of these tokens as its context.

    Args:
        batch: number of images.
        rows: height of the grid of tokens.
        columns: its width.
        blocks: target blocks of an image.
        target_scale: least and greatest share of the grid that a target block takes, before its sides are rounded.
        target_aspect: least and greatest height over width of a target block, in tokens.
        context_scale: as `target_scale`, for the context block before targets are taken out; its aspect is 1.
        least_context: tokens that a context keeps wherever one of the draws leaves as many free; at least 1.
        generator: a CPU generator.

    Returns:
        The masks, on the CPU.

    Raises:
        ValueError: `blocks` or `least_context` below 1; targets that could make up the whole image, which is where
            `blocks` times their greatest scale reaches 1; or no draw that leaves a token free, as may be where sides
            are rounded up on a grid of a few tokens.
    """
    if blocks < 1 or least_context < 1:
        raise ValueError(f"expected at least one block and one token of context, got {blocks} and {least_context}")
    if blocks * target_scale[1] >= 1:
        raise ValueError(f"{blocks} blocks of {target_scale[1]} of the image each may leave no context")
    scale, aspect, scale_of_context = (
        low + (high - low) * share
        for (low, high), share in zip(
            (target_scale, target_aspect, context_scale), torch.rand(3, generator=generator).tolist(), strict=True
        )
    )
    grid = (rows, columns)
    target_size, context_size = _size(grid, scale, aspect), _size(grid, scale_of_context, 1.0)

    targets = torch.zeros(batch, blocks, target_size[0] * target_size[1], dtype=torch.long)
    seen = torch.zeros(batch, rows * columns, dtype=torch.bool)
    short = torch.arange(batch)
    for _ in range(1 + REDRAWS):
        placed = _placed(len(short), blocks, target_size, grid, generator)
        free = ~_covered(placed, grid)
        context = free & _covered(_placed(len(short), 1, context_size, grid, generator), grid)
        enough = context.sum(dim=1) >= least_context
        better = enough | (free.sum(dim=1) > seen[short].sum(dim=1))
        targets[short[better]] = placed[better]
        seen[short[better]] = torch.where(enough[:, None], context, free)[better]
        short = short[~enough]
        if not len(short):
            break
    if not seen.any(dim=1).all():
        raise ValueError(f"{blocks} blocks of {target_size} tokens leave no context on a grid of {grid}")

    lengths = seen.sum(dim=1, keepdim=True)
    present = torch.arange(int(lengths.max())) < lengths
    # A stable sort puts the tokens that are seen first and leaves them ascending.
    ordered = seen.long().argsort(dim=1, descending=True, stable=True)[:, : present.shape[1]]
    return BlockMasks(context=ordered * present, present=present, targets=targets)


def _size(grid: tuple[int, int], scale: float, aspect: float) -> tuple[int, int]:
    """Height and width, in tokens, of a block that takes a share of the grid."""
    tokens = grid[0] * grid[1] * scale
    height, width = round((tokens * aspect) ** 0.5), round((tokens / aspect) ** 0.5)
    return min(max(height, 1), grid[0]), min(max(width, 1), grid[1])


def _placed(batch: int, blocks: int, size: tuple[int, int], grid: tuple[int, int], generator: Generator) -> Tensor:
    """Positions of blocks at places drawn from all that the grid has, (batch, blocks, tokens of a block)."""
    (height, width), (rows, columns) = size, grid
    top = torch.randint(rows - height + 1, (batch, blocks, 1), generator=generator)
    left = torch.randint(columns - width + 1, (batch, blocks, 1), generator=generator)
    within = torch.arange(height)[:, None] * columns + torch.arange(width)
    return top * columns + left + within.ravel()


def _covered(positions: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which tokens of each image are among its blocks' positions, (batch, tokens)."""
    none = torch.zeros(len(positions), grid[0] * grid[1], dtype=torch.bool)
    return none.scatter(1, positions.flatten(1), True)
