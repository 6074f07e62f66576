"""What is done to descriptors after training, so that their cosines show what is in them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Whitening(nn.Module):
    """Centres vectors and evens out their directions; as it is made, it changes nothing.

    After training without a term for variance, one direction holds nearly all that differs between images, and the
    cosine sees little else (`docs/results.md`). Jegou and Chum 2012, "Negative evidences and co-occurrences in image
    retrieval" (ECCV), whiten image descriptors for the same reason.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, dimension: int) -> None:
        """Changes nothing yet.

        Args:
            dimension: of the vectors.
        """
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("matrix", torch.eye(dimension))

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors to unit vectors, (batch, dimension) both."""
        return F.normalize((vectors - self.mean) @ self.matrix, dim=-1)

    @torch.no_grad()
    def set(self, mean: Tensor, matrix: Tensor) -> None:
        """Takes what was fitted: (dimension,) and (dimension, dimension)."""
        self.mean.copy_(mean)
        self.matrix.copy_(matrix)
