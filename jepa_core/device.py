"""Where networks run."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_device(images: Tensor, device: torch.device) -> Tensor:
    """Images from the CPU on the device, there once what was asked of it before is done."""
    if device.type != "cuda":
        return images
    return images.pin_memory().to(device, non_blocking=True)


def in_full(like: Tensor) -> AbstractContextManager[object]:
    """Products in the precision of their factors, also under mixed precision.

    A covariance in bfloat16 may come out with negative eigenvalues.

    Args:
        like: on the device of the factors. On meta, where sizes are counted, there is no precision to keep.
    """
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
