"""The contract of a method: all that the loop, the descriptors, the index and the benchmark know of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Generator, Tensor, nn

from jepa_core.vectors import Purpose


@dataclass(frozen=True)
class TrainingLoss:
    """What a training step gives."""

    total: Tensor
    """Scalar to descend."""

    terms: dict[str, Tensor]
    """Each term before its weight, by name; detached scalars, for the record."""

    embeddings: dict[str, Tensor]
    """Vectors to watch for collapse, by name, each (batch, dimension), detached."""


class Variant(nn.Module, ABC):
    """A JEPA method on one or two sensors."""

    sensors: tuple[str, ...]
    """Names of the sensors it takes."""

    @abstractmethod
    def training_loss(self, batch: Mapping[str, Tensor], generator: Generator) -> TrainingLoss:
        """Loss of one batch.

        Args:
            batch: normalised images of each sensor, (batch, bands, y, x); row i of each is of one pair.
            generator: a CPU generator; all that is random in the step comes from it.
        """

    @abstractmethod
    def describe(self, images: Tensor, sensor: str, purpose: Purpose) -> Tensor:
        """Unit vectors to search with.

        Args:
            images: normalised, (batch, bands, y, x).
            sensor: the images' sensor.
            purpose: what the vectors are for.

        Returns:
            (batch, dimension), unit norm.
        """
