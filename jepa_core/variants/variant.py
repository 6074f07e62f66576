"""The contract of a method: all that the loop, the descriptors, the index and the benchmark know of it.

A training step has three parts, so that a batch can be spread over several passes and several processes and still
give the loss and the gradient of the whole batch: what is random is drawn for all images, each image is encoded by
itself, and what the images gave is combined.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from jepa_core.nn.whitening import Whitening
from jepa_core.vectors import Purpose


@dataclass(frozen=True)
class Encoded:
    """What the images of a batch, or of a part of it, gave."""

    rows: dict[str, Tensor]
    """By name, (images, ...): losses of single images and vectors that losses compare; with gradients."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    """By name: statistics added up over the images, without gradients."""


@dataclass(frozen=True)
class TrainingLoss:
    """What a training step gives."""

    total: Tensor
    """Scalar to descend."""

    terms: dict[str, Tensor]
    """Each term before its weight, by name; detached scalars, for the record."""

    embeddings: dict[str, dict[str, Tensor]]
    """Vectors to watch for collapse, by kind and by sensor, each (batch, dimension), detached."""


@dataclass(frozen=True)
class Roles:
    """Which part of a network does what; a module is in one role."""

    encoder: Sequence[nn.Module]
    """What makes descriptors."""

    predictor: Sequence[nn.Module]
    """Predictors, decoders, and heads that training alone has a use for."""

    target: Sequence[nn.Module] = ()
    """Copies that are not trained, or that are but make no descriptors."""


class Variant(nn.Module, ABC):
    """A JEPA method on one or more sensors."""

    sensors: tuple[str, ...]
    """Names of the sensors it takes."""

    described_by: Mapping[Purpose, tuple[str, ...]]
    """Levels that a descriptor is put together from, by kind of search; where there is one kind, it serves all."""

    whitened: tuple[str, ...] = ()
    """Levels that are whitened after training, each sensor's by itself: which, was measured (`docs/results.md`)."""

    paired: bool = True
    """Whether row i of each sensor's images has to be of one pair."""

    def __init__(self, sensors: Iterable[str]) -> None:
        """Notes the sensors; nothing is whitened yet.

        Args:
            sensors: their names.
        """
        super().__init__()
        self.sensors = tuple(sensors)
        self.whitening = nn.ModuleDict(
            {f"{level}_{name}": Whitening() for level in self.whitened for name in self.sensors}
        )

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """Kinds of search that it has descriptors of their own for."""
        return tuple(self.described_by)

    @abstractmethod
    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """All that is random about the images of a step: their masks.

        Args:
            batch: images of each sensor, over all parts and processes.
            generator: a CPU generator.

        Returns:
            By name, on the CPU, (batch, ...).
        """

    @abstractmethod
    def encode(self, images: Mapping[str, Tensor], drawn: Mapping[str, Tensor]) -> Encoded:
        """What some images of a step give, each by itself: no image's rows depend on another image.

        Batch norms are the exception: theirs are the statistics of the images that are encoded at once, so that a
        method with them is normalised by parts where a batch is in parts.

        Args:
            images: normalised images of each sensor, (images, bands, y, x).
            drawn: rows of what was drawn, of these images, on their device.
        """

    @abstractmethod
    def combine(self, encoded: Encoded, generator: Generator) -> TrainingLoss:
        """The loss of the whole batch. It uses no parameters: their gradients all come through the rows.

        Args:
            encoded: of all images of the step; floating point rows are float32 or finer.
            generator: a CPU generator, the same in every process.
        """

    def training_loss(self, images: Mapping[str, Tensor], generator: Generator) -> TrainingLoss:
        """Loss of one batch in one piece.

        Args:
            images: normalised images of each sensor, (batch, bands, y, x); row i of each is of one pair.
            generator: a CPU generator; all that is random in the step comes from it.
        """
        first = next(iter(images.values()))
        drawn = {name: values.to(first.device) for name, values in self.draw(len(first), generator).items()}
        return self.combine(self.encode(images, drawn), generator)

    def after_step(self, momentum: float, sums: Mapping[str, Tensor]) -> None:
        """What follows the optimiser's step: moving averages.

        Args:
            momentum: of target encoders that follow the trained one.
            sums: of the step's whole batch, as `encode` gave them.
        """

    @abstractmethod
    def levels(self, images: Tensor, sensor: str) -> dict[str, Tensor]:
        """What the parts of the network say of each image, all from one pass of the encoder.

        Args:
            images: normalised, (batch, bands, y, x).
            sensor: the images' sensor.

        Returns:
            By level: (batch, its dimension), unit norm, not whitened.
        """

    def describe(self, images: Tensor, sensor: str) -> dict[Purpose, Tensor]:
        """Unit vectors to search with: for each kind its levels side by side, each weighing as much.

        Args:
            images: normalised, (batch, bands, y, x).
            sensor: the images' sensor.

        Returns:
            By kind, in the order of `purposes`: (batch, dimension), unit norm.
        """
        found = self.levels(images, sensor)
        for level in self.whitened:
            found[level] = self.whitening[f"{level}_{sensor}"](found[level])
        return {
            purpose: F.normalize(torch.cat([found[level] for level in levels], dim=-1), dim=-1)
            for purpose, levels in self.described_by.items()
        }

    @abstractmethod
    def roles(self) -> Roles:
        """The network's parts by what they do."""

    @abstractmethod
    def paper_parameters(self) -> int:
        """Parameters as the method's paper counts them; the method says what that is."""

    def independent(self) -> Sequence[nn.Module]:
        """Parts that share no parameter and no loss; their gradients are clipped apart."""
        return [self]
