"""SIGReg: how far a batch of vectors is from a standard normal, by random one-dimensional slices.

Source: Balestriero and LeCun 2025 (LeJEPA), the Epps-Pulley statistic; also CR-JEPA section 3, which halves it.
"""

from typing import Literal

import torch
from torch import Generator, Tensor


def sigreg(
    embeddings: Tensor, slices: int, knots: int, weights: Literal["lejepa", "paper"], generator: Generator
) -> Tensor:
    """Epps-Pulley statistic of a batch, averaged over random directions.

    The characteristic function of each projection is compared with that of a standard normal at `knots` points t in
    [0, 3], weighted by trapezoid x exp(-t^2 / 2), times the batch size. Under LeJEPA's weights a standard normal batch
    gives about 1 whatever its size, a batch of zeros 0.402 x its size; under the CR-JEPA paper's, half of that.

    Args:
        embeddings: (batch, dimension), before any normalisation. Taken to float32 at least: the cosines of
            bfloat16 are too coarse.
        slices: number of random directions J.
        knots: number of points K.
        weights: "lejepa", as its code, doubles the trapezoid for the symmetry in t, which makes it the integral over
            [-3, 3]; "paper", as CR-JEPA writes it, does not.
        generator: draws the directions, on the CPU so that every device gets the same.

    Returns:
        Scalar.
    """
    x = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    directions = torch.randn(x.shape[1], slices, generator=generator).to(x)
    directions = directions / directions.norm(dim=0, keepdim=True)
    t = torch.linspace(0, 3, knots, device=x.device, dtype=x.dtype)
    normal = torch.exp(-(t**2) / 2)
    step = 3 / (knots - 1) * {"lejepa": 2, "paper": 1}[weights]
    trapezoid = torch.full_like(t, step)
    trapezoid[0] = trapezoid[-1] = step / 2
    angles = (x @ directions)[..., None] * t
    gap = (angles.cos().mean(dim=0) - normal) ** 2 + angles.sin().mean(dim=0) ** 2
    statistic: Tensor = gap @ (trapezoid * normal)
    return len(x) * statistic.mean()
