"""InfoNCE over the pairs of a batch (van den Oord et al. 2018; symmetric as in CLIP and CR-JEPA section 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def symmetric_infonce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Mean of both directions' cross-entropy of finding row i of the one among all rows of the other.

    Args:
        a: unit vectors, (batch, dimension).
        b: unit vectors of the same shape; row i is the pair of row i of `a`.
        temperature: divides the cosines.

    Returns:
        Scalar; log(batch) where nothing is told apart.

    Raises:
        ValueError: shapes differ, or fewer than two rows.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"expected two (batch, dimension) of one shape, got {a.shape} and {b.shape}")
    if len(a) < 2:
        raise ValueError("InfoNCE needs at least two pairs in a batch")
    logits = a @ b.T / temperature
    match = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(logits, match) + F.cross_entropy(logits.T, match)) / 2


def cosine_gap(a: Tensor, b: Tensor) -> Tensor:
    """Mean of 1 - cosine over the pairs (CR-JEPA section 3, second term of L_uni).

    Args:
        a: unit vectors, (batch, dimension).
        b: unit vectors of the same shape.

    Returns:
        Scalar in 0 to 2.
    """
    return (1 - (a * b).sum(dim=-1)).mean()
