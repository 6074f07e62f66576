"""VICReg's three terms (Bardes, Ponce and LeCun 2022, section 4.1): variance, covariance, invariance.

Each is computed in float32 at least. Their weights are the caller's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def variance_hinge(x: Tensor) -> Tensor:
    """Mean over the dimensions of how far each one's standard deviation falls short of 1.

    The official code halves this and adds the two branches: the caller averages over branches.

    Args:
        x: one branch, (batch, dimension), before any normalisation.

    Returns:
        Scalar in 0 to 0.99: 0 where every dimension has unit variance or more, 0.99 for a constant batch, because
        1e-4 is added to the variance to keep the root's gradient finite.

    Raises:
        ValueError: not two axes, or fewer than two rows.
    """
    variance = _centred(x).square().sum(dim=0) / (len(x) - 1)
    return F.relu(1 - torch.sqrt(variance + 1e-4)).mean()


def covariance_penalty(x: Tensor) -> Tensor:
    """Squares of the covariances between different dimensions, summed and divided by the number of dimensions.

    Args:
        x: one branch, (batch, dimension), before any normalisation.

    Returns:
        Scalar; 0 where the dimensions are uncorrelated over the batch.

    Raises:
        ValueError: not two axes, or fewer than two rows.
    """
    centred = _centred(x)
    covariance = centred.T @ centred / (len(x) - 1)
    off_diagonal = covariance - torch.diag(covariance.diagonal())
    return off_diagonal.square().sum() / x.shape[1]


def invariance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of the two branches, over every element.

    Args:
        a: (batch, dimension).
        b: the same shape; row i is the pair of row i of `a`.

    Returns:
        Scalar.

    Raises:
        ValueError: shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"expected two branches of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    return F.mse_loss(_at_least_float32(a), _at_least_float32(b))


def _centred(x: Tensor) -> Tensor:
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"expected (batch, dimension) with at least two rows, got {tuple(x.shape)}")
    x = _at_least_float32(x)
    return x - x.mean(dim=0)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
