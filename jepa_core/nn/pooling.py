"""An image's tokens to one vector."""

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_and_deviation(tokens: Tensor) -> Tensor:
    """Unit vector of an image: mean and standard deviation of each feature over its tokens, either part as long.

    The mean says what a patch shows on the whole, the deviation how it varies over it: its texture, which classes of
    land differ in. Snyder et al. 2018, "X-vectors" (ICASSP), pool so over time; over tokens ours.

    Args:
        tokens: features, (batch, tokens, width).

    Returns:
        (batch, 2 x width), unit norm.
    """
    parts = (tokens.mean(dim=1), tokens.std(dim=1, correction=0))
    return F.normalize(torch.cat([F.normalize(part, dim=-1) for part in parts], dim=-1), dim=-1)
