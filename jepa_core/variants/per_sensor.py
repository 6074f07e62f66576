"""Methods that know one sensor: a network a sensor, trained side by side with nothing in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from jepa_core.variants.variant import Encoded, Roles, TrainingLoss, Variant
from jepa_core.vectors import Purpose


@dataclass(frozen=True)
class SensorLoss:
    """Loss of one sensor's images."""

    total: Tensor
    """Scalar to descend."""

    terms: dict[str, Tensor]
    """Each term before its weight, by name, and other figures worth watching; scalars."""

    embeddings: dict[str, Tensor]
    """Vectors to watch for collapse, by kind, each (batch, dimension)."""


class SensorNetwork(nn.Module, ABC):
    """A method on one sensor; the parts of a step are those of `Variant`."""

    @abstractmethod
    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Masks of a step."""

    @abstractmethod
    def forward(self, images: Tensor, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each image gives by itself, by name, (images, ...)."""

    @abstractmethod
    def loss(self, rows: Mapping[str, Tensor]) -> SensorLoss:
        """Loss of the whole batch; uses no parameters."""

    def after_step(self, momentum: float) -> None:
        """What follows the optimiser's step."""

    @abstractmethod
    def levels(self, images: Tensor) -> dict[str, Tensor]:
        """Unit vectors (batch, dimension) of the levels `stem` and `trunk`."""

    @abstractmethod
    def roles(self) -> Roles:
        """The network's parts by what they do."""

    @abstractmethod
    def paper_parameters(self) -> int:
        """Parameters as the method's paper counts them."""


class PerSensor(Variant):
    """A network of one kind a sensor. Across sensors its descriptors mean nothing to each other."""

    described_by: Mapping[Purpose, tuple[str, ...]] = {"same": ("stem", "trunk")}

    network: type[Any]
    """Called with the config and a number of bands, gives a `SensorNetwork`."""

    def __init__(self, config: Any, bands: Mapping[str, int]) -> None:
        """Builds the networks with random weights, from torch's global generator.

        Args:
            config: the method's config record.
            bands: number of bands of each sensor, by sensor name.
        """
        super().__init__(bands)
        self.config = config
        self.by_sensor = nn.ModuleDict({name: self.network(config, count) for name, count in bands.items()})

    @property
    def networks(self) -> dict[str, SensorNetwork]:
        """By sensor name."""
        return cast("dict[str, SensorNetwork]", dict(self.by_sensor.items()))

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Masks, the same for all sensors, which know nothing of each other."""
        return self.networks[self.sensors[0]].draw(batch, generator)

    def encode(self, images: Mapping[str, Tensor], drawn: Mapping[str, Tensor]) -> Encoded:
        """Each network on its own sensor's images."""
        return Encoded(
            {
                f"{name}/{kind}": values
                for name, network in self.networks.items()
                for kind, values in network(images[name], drawn).items()
            }
        )

    def combine(self, encoded: Encoded, generator: Generator) -> TrainingLoss:
        """The sum over the sensors, so that each network has the gradient that it would have alone."""
        losses = {}
        for name, network in self.networks.items():
            rows = {k.removeprefix(f"{name}/"): v for k, v in encoded.rows.items() if k.startswith(f"{name}/")}
            losses[name] = network.loss(rows)
        kinds = losses[self.sensors[0]].embeddings
        return TrainingLoss(
            total=torch.stack([loss.total for loss in losses.values()]).sum(),
            terms={f"{term}_{name}": v.detach() for name, loss in losses.items() for term, v in loss.terms.items()},
            embeddings={
                kind: {name: loss.embeddings[kind].detach() for name, loss in losses.items()} for kind in kinds
            },
        )

    def after_step(self, momentum: float, sums: Mapping[str, Tensor]) -> None:
        """Of each network."""
        for network in self.networks.values():
            network.after_step(momentum)

    def levels(self, images: Tensor, sensor: str) -> dict[str, Tensor]:
        """Of the sensor's own network."""
        return self.networks[sensor].levels(images)

    def roles(self) -> Roles:
        """Of all networks."""
        roles = [network.roles() for network in self.networks.values()]
        return Roles(
            encoder=[module for r in roles for module in r.encoder],
            predictor=[module for r in roles for module in r.predictor],
            target=[module for r in roles for module in r.target],
        )

    def paper_parameters(self) -> int:
        """Of one network, as the papers have one sensor: the one with the most bands."""
        return max(network.paper_parameters() for network in self.networks.values())

    def independent(self) -> Sequence[nn.Module]:
        """Each sensor's network."""
        return list(self.networks.values())
