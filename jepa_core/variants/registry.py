"""Every method by name. A new one is a file and a line here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from jepa_core.errors import UnknownNameError
from jepa_core.training.config import TrainingConfig
from jepa_core.variants import crjepa
from jepa_core.variants.variant import Variant


@dataclass(frozen=True)
class Method:
    """How to build and train a variant."""

    build: type[Any]
    """Called with config and number of bands by sensor name."""

    config: type[Any]
    """Its config record."""

    sizes: Mapping[str, Any]
    """Config by size."""

    recipes: Mapping[str, TrainingConfig]
    """Training settings by size."""


METHODS = {
    "crjepa": Method(crjepa.CRJEPA, crjepa.CRJEPAConfig, crjepa.SIZES, crjepa.RECIPES),
}


def method(name: str) -> Method:
    """The method of a name.

    Raises:
        UnknownNameError: there is none; the message lists those there are.
    """
    if name not in METHODS:
        raise UnknownNameError(f"no variant {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]


def build(variant: str, config: Any, bands: Mapping[str, int], seed: int) -> Variant:
    """A method with random weights that depend on the seed alone; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built: Variant = method(variant).build(config, bands)
    return built


def config_from_json(variant: str, fields: Mapping[str, Any]) -> Any:
    """The config record that `dataclasses.asdict` and JSON made `fields` from."""
    kind = method(variant).config
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def config_to_json(config: Any) -> dict[str, Any]:
    """Fields of a config record, as JSON holds them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
