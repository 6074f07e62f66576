"""Distance of predicted to target tokens, an image at a time."""

import torch.nn.functional as F
from torch import Tensor


def latent_mse(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared error, averaged over every element of an image.

    CR-JEPA section 3 and X-JEPA section 3.4 write a squared norm; the mean over the feature axis keeps its size apart
    from the width.

    Args:
        predicted: (batch, ..., width).
        target: the same shape.

    Returns:
        (batch,).
    """
    return F.mse_loss(predicted, target, reduction="none").flatten(1).mean(dim=1)


def latent_smooth_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Half the squared error up to 1, from there the absolute error less a half; averaged as above (I-JEPA's code).

    Args:
        predicted: (batch, ..., width).
        target: the same shape.

    Returns:
        (batch,).
    """
    return F.smooth_l1_loss(predicted, target, reduction="none").flatten(1).mean(dim=1)
