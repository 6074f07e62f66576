"""From pairs to a trained model: the whole of the stage, resumable at any point."""

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from jepa_core import versions
from jepa_core.atomic import read_json
from jepa_core.device import best_device
from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.fingerprint import fingerprint
from jepa_core.model import load_model, save_model
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import HISTORY, read_table, records
from jepa_core.training.cache import build_cache, open_cache
from jepa_core.training.loop import Row, train
from jepa_core.variants import registry


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


def pretrain(
    store: Store,
    name: str,
    size: str,
    seed: int,
    epochs: int | None,
    pairs: pd.DataFrame,
    sensors: tuple[Sensor, Sensor],
    stage_fingerprint: str,
    pairs_version: str,
    on_step: Callable[[Row], None] = lambda row: None,
) -> Pretrained:
    """Trains a method on the pairs of the training split.

    Args:
        store: the data root.
        name: of the method.
        size: a size that it has.
        seed: of weights, order, masks and slices.
        epochs: instead of the recipe's.
        pairs: all pairs (schema `tables.PAIRS`).
        sensors: of `patch_a` and `patch_b`.
        stage_fingerprint: names the run; a whole model under it is taken as it is, checkpoints are gone on from.
        pairs_version: data version of the pairs, for the cache.
        on_step: is given each step's figures, those of an earlier call's steps included.

    Raises:
        UnknownNameError: no such method or size; the message lists what there is.
        NotMaterializedError: no training pairs.
        TrainingError: the loss is no longer a number.
    """
    method = registry.method(name)
    if size not in method.sizes:
        raise UnknownNameError(f"{name} has no size {size!r}; it has {', '.join(method.sizes)}")
    config, recipe = method.sizes[size], method.recipes[size]
    if epochs is not None:
        recipe = recipe.for_epochs(epochs)
    folder = store.model(name, stage_fingerprint)
    checkpoints = store.training(name, stage_fingerprint)
    finished = _finished(folder)
    if finished is None:
        cache_folder = store.training_cache(fingerprint([pairs_version, versions.CACHE]))
        build_cache(store, cache_folder, pairs[pairs["split"] == "train"], sensors)
        cache = open_cache(cache_folder)
        bands = {sensor.name: len(sensor.bands) for sensor in sensors}
        variant = registry.build(name, config, bands, seed).to(best_device())
        history = train(variant, cache, recipe, seed, checkpoints, on_step)
        about = {
            "size": size,
            "seed": seed,
            "recipe": asdict(recipe),
            "pairs": len(cache),
            "pairs_version": pairs_version,
            "parameters": sum(p.numel() for p in variant.parameters() if p.requires_grad),
        }
        save_model(folder, name, variant, config, cache.statistics, history, about)
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
    about = read_json(folder / "model.json")["about"]
    # Monitors are not taken at every step; the table has NaN there.
    rows = [{name: value for name, value in row.items() if not math.isnan(value)} for row in records(history)]
    return Pretrained(folder, model.fingerprint, rows, about["parameters"], about["pairs"])
