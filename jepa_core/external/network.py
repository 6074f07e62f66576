"""What all networks from files and libraries have in common: normalised images in, features out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from jepa_core.device import best_device, on_device


@dataclass(frozen=True)
class Network:
    """An opened network."""

    run: Callable[[np.ndarray], np.ndarray]
    """Normalised images, float32 (batch, bands, y, x), to (batch, dimension) or (batch, tokens, dimension)."""

    identity: str
    """Equal for equal features: a digest of the weights and what else they hang on."""

    parameters: int | None
    """Number of them; None where the format does not say."""

    side: int | None = None
    """Pixels along a side that it was made for; None where it takes several."""

    batch: int | None = None
    """Images that it takes at once; None where it takes any number."""


def torch_network(module: nn.Module, identity: str, side: int | None = None) -> Network:
    """A torch module in evaluation mode, on the accelerator where there is one."""
    device = best_device()
    module = module.eval().to(device)

    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        features = module(on_device(torch.from_numpy(images), device))
        if not isinstance(features, torch.Tensor):
            raise TypeError(f"it gives a {type(features).__name__}, not a tensor")
        return np.asarray(features.float().cpu().numpy())

    return Network(run, identity, sum(p.numel() for p in module.parameters()), side)


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over names, shapes and values of a module's parameters and buffers, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, values in sorted(module.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        # Views as bytes exist for every dtype, bfloat16 included, which numpy lacks.
        digest.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
