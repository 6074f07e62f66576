"""Signs of collapse: a falling loss proves nothing."""

import torch
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
