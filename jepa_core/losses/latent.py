"""Distance of predicted to target tokens."""

import torch.nn.functional as F
from torch import Tensor


def latent_mse(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared error, averaged over every element.

    CR-JEPA section 3 writes a squared norm; the mean over the feature axis keeps its size apart from the width.

    Args:
        predicted: (batch, tokens, width).
        target: the same shape.

    Returns:
        Scalar.
    """
    return F.mse_loss(predicted, target)
