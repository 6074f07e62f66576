"""Every method by name. A new one is a file and a line here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError

from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.training.config import TrainingConfig
from jepa_core.variants import crjepa, ijepa, lejepa, mae, rejepa, xjepa
from jepa_core.variants.variant import Variant

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")


class ConfigError(JepaError):
    """A method cannot be built or trained as its settings say."""


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
    "ijepa": Method(ijepa.IJEPA, ijepa.IJEPAConfig, ijepa.SIZES, ijepa.RECIPES),
    "mae": Method(mae.MAE, mae.MAEConfig, mae.SIZES, mae.RECIPES),
    "rejepa": Method(rejepa.REJEPA, rejepa.REJEPAConfig, rejepa.SIZES, rejepa.RECIPES),
    "xjepa": Method(xjepa.XJEPA, xjepa.XJEPAConfig, xjepa.SIZES, xjepa.RECIPES),
    "crjepa": Method(crjepa.CRJEPA, crjepa.CRJEPAConfig, crjepa.SIZES, crjepa.RECIPES),
    "lejepa": Method(lejepa.LeJEPA, lejepa.LeJEPAConfig, lejepa.SIZES, lejepa.RECIPES),
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
    """A method with random weights that depend on the seed alone; torch's global generator is left as it was.

    Raises:
        ConfigError: the config's sizes do not go together, or not with these sensors.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            built: Variant = method(variant).build(config, bands)
            # Masks that a grid of tokens does not allow show now, not hours later.
            with torch.device("cpu"):
                built.draw(1, torch.Generator().manual_seed(seed))
        except (ValueError, AssertionError, ArithmeticError, RuntimeError, TypeError) as error:
            raise ConfigError(f"{variant} cannot be built like that: {error}") from error
    return built


def size_of(variant: str, size: str) -> tuple[Any, TrainingConfig]:
    """Config and recipe of a method's size.

    Raises:
        UnknownNameError: no such method or size; the message lists what there is.
    """
    chosen = method(variant)
    if size not in chosen.sizes:
        raise UnknownNameError(f"{variant} has no size {size!r}; it has {', '.join(chosen.sizes)}")
    return chosen.sizes[size], chosen.recipes[size]


def changed(record: R, fields: Mapping[str, Any], what: str) -> R:
    """A config record with some fields replaced by what a user wrote.

    Args:
        record: a frozen dataclass.
        fields: new values by field name, as JSON or YAML hold them.
        what: names the record in an error.

    Raises:
        UnknownNameError: a field that the record has not; the message lists those that it has.
        ConfigError: a value that a field cannot hold; the message says which.
    """
    known = asdict(record)
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise UnknownNameError(f"{what} has no field {unknown[0]!r}; it has {', '.join(known)}")
    try:
        return TypeAdapter(type(record)).validate_python(known | dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{what}: {place} cannot be {first['input']!r}: {first['msg']}") from error


def config_from_json(variant: str, fields: Mapping[str, Any]) -> Any:
    """The config record that `dataclasses.asdict` and JSON made `fields` from."""
    kind = method(variant).config
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def config_to_json(config: Any) -> dict[str, Any]:
    """Fields of a config record, as JSON holds them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
