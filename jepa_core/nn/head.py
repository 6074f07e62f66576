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


def view_head(width: int, hidden: Sequence[int], dimension: int) -> nn.Sequential:
    """LeJEPA's projector: as `retrieval_head`, with batch norm before each GELU.

    Without batch norm, in the stem and here, the same training is far behind (`docs/results.md`): at the start all
    images' features are nearly one vector.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([width, *hidden]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear([width, *hidden][-1], dimension))
