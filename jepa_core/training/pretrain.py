"""From pairs to a trained model: the whole of the stage, resumable at any point."""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from jepa_core import atomic, versions
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import JepaError
from jepa_core.fingerprint import fingerprint
from jepa_core.model import load_model
from jepa_core.store import Store
from jepa_core.tables import HISTORY, read_table, records
from jepa_core.training.cache import build_cache
from jepa_core.training.config import TrainingConfig
from jepa_core.training.group import Group
from jepa_core.training.job import Job, run_job
from jepa_core.training.launch import run_in_processes
from jepa_core.training.probe import build_probe
from jepa_core.training.watch import Row
from jepa_core.variants import registry
from jepa_core.variants.registry import ConfigError


@dataclass(frozen=True)
class Pretrained:
    """A finished training run."""

    folder: Path
    """Of the model."""

    fingerprint: str
    """Of the model."""

    history: list[Row]
    """Figures of every step; monitors where they were taken."""

    parameters: int
    """Trained parameters."""

    pairs: int
    """Training pairs."""


@dataclass(frozen=True)
class Choice:
    """What is trained and how, as a user chooses it."""

    variant: str
    """Name of the method."""

    size: str = "tiny"
    """A size that it has."""

    seed: int = 0
    """Of weights, order, masks and slices."""

    epochs: int | None = None
    """Instead of the recipe's; the warm-up keeps its share."""

    processes: int = 1
    """Processes that share each batch; more than one are started by `torchrun`."""

    model: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the method's config that are to be others than the size's."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that are to be others than the size's."""

    def settled(self) -> tuple[Any, TrainingConfig]:
        """The method's config and the recipe.

        Raises:
            UnknownNameError: no such method, size or field.
            ConfigError: a value that a field cannot hold, or settings that do not go together.
        """
        config, recipe = registry.size_of(self.variant, self.size)
        if "epochs" in self.recipe:
            raise ConfigError("epochs is a setting of its own beside `recipe`: the warm-up keeps its share with it")
        if self.epochs is not None:
            if self.epochs < 1:
                raise ConfigError(f"cannot train for {self.epochs} epochs")
            recipe = recipe.for_epochs(self.epochs)
        recipe = registry.changed(recipe, self.recipe, "the recipe")
        if recipe.warmup_epochs >= max(recipe.epochs, 2):
            raise ConfigError(f"a warm-up of {recipe.warmup_epochs} epochs leaves nothing of {recipe.epochs}")
        if self.processes < 1:
            raise ConfigError(f"cannot train in {self.processes} processes")
        return registry.changed(config, self.model, f"the config of {self.variant}"), recipe


def pretrain(
    store: Store,
    choice: Choice,
    data: LabelledSet,
    stage_fingerprint: str,
    on_step: Callable[[Row], None] = lambda row: None,
) -> Pretrained:
    """Trains a method on the training split; labels of the validation split are looked at and train nothing.

    Args:
        store: takes the model and what is needed on the way.
        choice: what is trained and how.
        data: the set.
        stage_fingerprint: names the run; a whole model under it is taken as it is, checkpoints are gone on from.
        on_step: is given each step's figures, those of an earlier call's steps included.

    Raises:
        UnknownNameError: no such method, size or field; the message lists what there is.
        ConfigError: the settings do not go together.
        NotMaterializedError: no training pairs.
        TrainingError: the run cannot go on.
    """
    config, recipe = choice.settled()
    name = choice.variant
    folder = store.model(name, stage_fingerprint)
    checkpoints = store.training(name, stage_fingerprint)
    finished = _finished(folder)
    if finished is None:
        # A method that cannot be built leaves nothing behind.
        with torch.device("meta"):
            registry.build(name, config, {sensor.name: len(sensor.bands) for sensor in data.sensors}, choice.seed)
        version = fingerprint([data.version, versions.CACHE])
        cache, probe = store.training_cache(version), store.training_probe(version)
        build_cache(cache, data, data.rows("train"))
        job = Job(
            variant=name,
            config=registry.config_to_json(config),
            recipe=recipe,
            seed=choice.seed,
            cache=str(cache),
            probe=str(probe) if build_probe(probe, data) else None,
            checkpoints=str(checkpoints),
            model=str(folder),
            about={"size": choice.size, "pairs_version": data.version},
        )
        job_file = checkpoints / "job.json"
        atomic.write_json(job_file, asdict(job))
        if choice.processes > 1:
            run_in_processes(job_file, choice.processes, on_step)
        else:
            run_job(job, Group(), on_step)
        finished = _finished(folder)
        assert finished is not None
    else:
        for row in finished.history:
            on_step(row)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return finished


def _finished(folder: Path) -> Pretrained | None:
    """The run whose model lies whole in the folder; None where there is none, or its files were changed."""
    if not folder.exists():
        return None
    try:
        model = load_model(folder)
        history = read_table(folder / "history.parquet", HISTORY)
    except JepaError:
        return None
    about = atomic.read_json(folder / "model.json")["about"]
    # Monitors are not taken at every step; the table has NaN there.
    rows = [{name: value for name, value in row.items() if not math.isnan(value)} for row in records(history)]
    return Pretrained(folder, model.fingerprint, rows, about["parameters"], about["pairs"])
