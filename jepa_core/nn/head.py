"""From pooled features to the vector that a loss compares, and `lejepa` searches with."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def retrieval_head(width: int, hidden: Sequence[int], dimension: int, batch_norm: bool = False) -> nn.Sequential:
    """MLP with GELU between its layers, whose shape CR-JEPA does not state: (batch, width) to (batch, dimension).

    Args:
        width: of the pooled features.
        hidden: width of each hidden layer.
        dimension: of what comes out.
        batch_norm: before each GELU, as in LeJEPA's projector. Without, in the stem and here, LeJEPA's training is
            far behind (`docs/results.md`): at the start all images' features are nearly one vector.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([width, *hidden]):
        layers += [nn.Linear(inputs, outputs), *([nn.BatchNorm1d(outputs)] if batch_norm else []), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear([width, *hidden][-1], dimension))
