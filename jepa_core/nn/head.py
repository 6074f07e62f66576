"""From pooled features to the vector that is searched with."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def retrieval_head(width: int, hidden: Sequence[int], dimension: int) -> nn.Sequential:
    """MLP with GELU between its layers, whose shape CR-JEPA does not state: (batch, width) to (batch, dimension)."""
    sizes = [width, *hidden, dimension]
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers += [nn.GELU()] if i else []
        layers += [nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)
