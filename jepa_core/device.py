"""Where networks run."""

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
