"""SIGReg: how far a batch of vectors is from a standard normal, by random one-dimensional slices.

Source: Balestriero and LeCun 2025 (LeJEPA), the Epps-Pulley statistic; weights as CR-JEPA section 3 writes them.
"""

import torch
from torch import Generator, Tensor


def sigreg(embeddings: Tensor, slices: int, knots: int, generator: Generator) -> Tensor:
    """Epps-Pulley statistic of a batch, averaged over random directions.

    The characteristic function of each projection is compared with that of a standard normal at `knots` points t in
    [0, 3], weighted by trapezoid x exp(-t^2 / 2), times the batch size. A standard normal batch gives about 0.5
    whatever its size (LeJEPA's code doubles the weights for symmetry in t, giving 1); a constant batch gives
    0.201 x its size.

    Args:
        embeddings: (batch, dimension), before any normalisation. Taken to float32 at least: the cosines of
            bfloat16 are too coarse.
        slices: number of random directions J.
        knots: number of points K.
        generator: draws the directions, on the CPU so that every device gets the same.

    Returns:
        Scalar.
    """
    x = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    directions = torch.randn(x.shape[1], slices, generator=generator).to(x)
    directions = directions / directions.norm(dim=0, keepdim=True)
    t = torch.linspace(0, 3, knots, device=x.device, dtype=x.dtype)
    normal = torch.exp(-(t**2) / 2)
    trapezoid = torch.full_like(t, 3 / (knots - 1))
    trapezoid[0] = trapezoid[-1] = 1.5 / (knots - 1)
    angles = (x @ directions)[..., None] * t
    gap = (angles.cos().mean(dim=0) - normal) ** 2 + angles.sin().mean(dim=0) ** 2
    statistic: Tensor = gap @ (trapezoid * normal)
    return len(x) * statistic.mean()
