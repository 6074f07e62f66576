"""Signs of collapse, and of what descriptors are good for: a falling loss proves nothing.

A batch that is all one point, or holds a single vector, has no spread and no rank.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_std(embeddings: Tensor) -> float:
    """Standard deviation of each dimension over the batch, averaged; 0 where all vectors are one.

    Args:
        embeddings: (batch, dimension).
    """
    return float(embeddings.float().std(dim=0).mean())


def least_std(embeddings: Tensor) -> float:
    """Standard deviation of the dimension that has the least over the batch; 0 where one is constant.

    Args:
        embeddings: (batch, dimension).
    """
    return float(embeddings.float().std(dim=0).min())


def spread(embeddings: Tensor) -> float:
    """How far the unit vectors of a batch lie from their mean: 0 where all point one way, 1 where they are all over.

    Cosine search sees directions only, so that their lengths must not count.

    Args:
        embeddings: (batch, dimension).
    """
    unit = F.normalize(embeddings.float(), dim=-1)
    return float((unit - unit.mean(dim=0)).square().sum(dim=1).mean().sqrt())


def effective_rank(embeddings: Tensor) -> float:
    """Exponential of the entropy of the centred batch's singular values, 1 to min(batch - 1, dimension).

    Roy and Vetterli 2007; RankMe (Garrido et al. 2023) is the same without centring, which would count a
    shared offset as a dimension.

    Args:
        embeddings: (batch, dimension).

    Returns:
        The rank; 0 where all vectors are one.
    """
    centred = embeddings.float() - embeddings.float().mean(dim=0)
    singular = torch.linalg.svdvals(centred)
    if float(singular.sum()) <= 1e-12:
        return 0.0
    share = singular / singular.sum()
    entropy = -(share * torch.log(share.clamp_min(1e-12))).sum()
    return float(entropy.exp())


def alignment(a: Tensor, b: Tensor) -> float:
    """Mean squared distance of the unit vectors of pairs (Wang and Isola 2020): 0 where they agree, about 2 by chance.

    Args:
        a: (batch, dimension).
        b: row i is the pair of row i of `a`.
    """
    gap = F.normalize(a.float(), dim=-1) - F.normalize(b.float(), dim=-1)
    return float(gap.square().sum(dim=1).mean())


def uniformity(embeddings: Tensor) -> float:
    """Log of the mean of exp(-2 d^2) over pairs of unit vectors (Wang and Isola 2020): 0 where all are one, down to -4.

    Args:
        embeddings: (batch, dimension), two vectors at least.
    """
    distances = torch.pdist(F.normalize(embeddings.float(), dim=-1))
    return float(distances.square().mul(-2).exp().mean().log())
