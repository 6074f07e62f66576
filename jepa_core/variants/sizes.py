"""How large each method is, and what it takes to describe an image."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from jepa_core.sensors import SENSORS, Sensor
from jepa_core.variants import registry

_BATCH = 16
"""Images that a training step is counted with."""


@dataclass(frozen=True)
class VariantSize:
    """A method in one size, on all its sensors with all their bands."""

    variant: str
    """Name of the method."""

    size: str
    """Name of the size."""

    sensors: tuple[str, ...]
    """Names of the sensors."""

    tokens: int
    """Tokens of an image."""

    width: int
    """Features of a token."""

    depth: int
    """Blocks of the encoder."""

    parameters_encoder: int
    """Of what makes descriptors, over all sensors."""

    parameters_predictor: int
    """Of predictors and decoders, over all sensors."""

    parameters_trainable: int
    """Of all that is trained, over all sensors. Encoders that follow trained ones are not in it; what only a loss
    uses is."""

    parameters_paper: int
    """As the method's paper counts them (`paper_parameters` of the method)."""

    flops_per_image: dict[str, int]
    """By sensor name: of describing one image for all kinds of search, 2 a multiply-add. Matrix products, attention
    included, and convolutions are counted; norms, activations, the resizing of images and what is fitted to
    descriptors after training (less than a hundredth) are not."""

    training_flops_per_image: int
    """Of a training step, forward and backward, over an image of each sensor; counted likewise, with one draw of masks.
    """


def variant_sizes() -> Iterator[VariantSize]:
    """Every method in every size, in the registry's order, measured as they are asked for."""
    for variant, method in registry.METHODS.items():
        for size, config in method.sizes.items():
            yield measured(variant, size, config, tuple(SENSORS.values()))


@torch.no_grad()
def measured(variant: str, size: str, config: Any, sensors: tuple[Sensor, ...]) -> VariantSize:
    """The figures of one network; neither weights nor features take memory.

    Args:
        variant: name of the method.
        size: what the size is called.
        config: the method's config record.
        sensors: what the network is built for.
    """
    # Tensors on the meta device have a shape and no values.
    with torch.device("meta"):
        model = registry.build(variant, config, {sensor.name: len(sensor.bands) for sensor in sensors}, seed=0)
    batch = {
        sensor.name: torch.empty(_BATCH, len(sensor.bands), config.input_size, config.input_size, device="meta")
        for sensor in sensors
    }
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        loss = model.training_loss(batch, torch.Generator().manual_seed(0))
        loss.total.backward()  # type: ignore[no-untyped-call]
    training = counter.get_total_flops() // _BATCH
    # One image has no statistics for a batch norm.
    model.eval()
    flops = {}
    for sensor in sensors:
        with FlopCounterMode(display=False) as counter:
            model.describe(batch[sensor.name][:1], sensor.name)
        flops[sensor.name] = counter.get_total_flops()
    roles = model.roles()
    return VariantSize(
        variant=variant,
        size=size,
        sensors=model.sensors,
        tokens=(config.input_size // config.patch_size) ** 2,
        width=config.width,
        depth=config.depth,
        parameters_encoder=parameter_count(roles.encoder),
        parameters_predictor=parameter_count(roles.predictor),
        parameters_trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        parameters_paper=model.paper_parameters(),
        flops_per_image=flops,
        training_flops_per_image=training,
    )


def parameter_count(modules: Iterable[nn.Module]) -> int:
    """Parameters of all modules, trained or not."""
    return sum(p.numel() for module in modules for p in module.parameters())
