"""A method trained on a labelled set, once: the same set, settings and code give the model that is there."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from jepa_core import versions
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import UnknownNameError
from jepa_core.fingerprint import fingerprint
from jepa_core.store import Store
from jepa_core.training.pretrain import Choice, Pretrained, pretrain
from jepa_core.variants import registry
from jepa_core.variants.registry import ConfigError

_FIELDS = ("size", "processes", "model", "recipe")
"""What a settings file may hold: what a comparison keeps the same for all methods."""


def trained_on(store: Store, data: LabelledSet, choice: Choice) -> Pretrained:
    """Trains on the set's training split, or takes the model that a run like it left; goes on where one was stopped.

    Args:
        store: of this set.
        data: the set.
        choice: what is trained and how.

    Raises:
        UnknownNameError, ConfigError, NotMaterializedError, TrainingError: as `pretrain` does.
    """
    config, recipe = choice.settled()
    run = fingerprint(
        {
            "set": data.version,
            "code": [versions.CACHE, versions.MODEL[choice.variant]],
            "config": registry.config_to_json(config),
            "recipe": asdict(recipe),
            "seed": choice.seed,
            "processes": choice.processes,
        }
    )
    return pretrain(store, choice, data, run)


def read_choice(variant: str, seed: int, epochs: int | None, settings: Sequence[Path]) -> Choice:
    """A choice from settings files.

    Args:
        variant: name of the method.
        seed: of the run.
        epochs: instead of the recipe's.
        settings: TOML with `size`, `processes` and the tables `model` and `recipe`, all of them optional; what a later
            file says goes before what an earlier one says. None for the size `tiny` as it is.

    Raises:
        UnknownNameError: a field or size that there is not; the message lists those there are.
        ConfigError: a value that a field cannot hold, or no TOML.
    """
    choice = Choice(variant, seed=seed, epochs=epochs)
    for file in settings:
        try:
            fields = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not TOML: {error}") from error
        for name, value in fields.items():
            if name not in _FIELDS:
                raise UnknownNameError(f"{file} has a field {name!r}; known are {', '.join(_FIELDS)}")
            earlier = getattr(choice, name)
            if isinstance(value, dict) and isinstance(earlier, Mapping):
                fields[name] = {**earlier, **value}
        choice = registry.changed(choice, fields, str(file))
        # Each field by itself, while the file is known: whether fields go together shows when all files are read.
        config, recipe = registry.size_of(choice.variant, choice.size)
        registry.changed(config, choice.model, f"{file}: model")
        registry.changed(recipe, choice.recipe, f"{file}: recipe")
    return choice
