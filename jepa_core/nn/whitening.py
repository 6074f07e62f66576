"""What is done to descriptors after training, so that their cosines show what is in them."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Whitening(nn.Module):
    """Centres vectors and evens out their directions; until it is fitted, it changes nothing.

    After training one direction can hold nearly all that differs between images, and the cosine sees little else
    (`docs/results.md`). Jegou and Chum 2012, "Negative evidences and co-occurrences in image retrieval" (ECCV), whiten
    image descriptors, and leave out their small directions, for the same reason.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self) -> None:
        """Not fitted."""
        super().__init__()
        self.register_buffer("mean", torch.empty(0))
        self.register_buffer("matrix", torch.empty(0, 0))

    def forward(self, vectors: Tensor) -> Tensor:
        """Unit vectors (batch, dimension) to unit vectors (batch, kept)."""
        if not self.mean.numel():
            return vectors
        return F.normalize((vectors - self.mean) @ self.matrix, dim=-1)

    @torch.no_grad()
    def set(self, mean: Tensor, matrix: Tensor) -> None:
        """Takes what was fitted: (dimension,) and (dimension, kept)."""
        self.mean, self.matrix = mean.to(self.mean), matrix.to(self.matrix)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        # Torch copies into buffers of the same shape; what was fitted has a shape of its own.
        for name in ("mean", "matrix"):
            kept = state_dict.get(prefix + name)
            if kept is not None:
                setattr(self, name, getattr(self, name).new_empty(kept.shape))
        super()._load_from_state_dict(state_dict, prefix, *others)
