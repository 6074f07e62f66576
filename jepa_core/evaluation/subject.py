"""What a benchmark judges: descriptors of one set by one method, one a seed, and how they came about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jepa_core import atomic
from jepa_core.baselines.random_encoder import random_encoder
from jepa_core.baselines.registry import baseline
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.stored_pairs import COLUMNS
from jepa_core.descriptors import read_descriptors
from jepa_core.evaluation.described import describe_rows, described_once
from jepa_core.evaluation.describer import Describer
from jepa_core.evaluation.protocols import Vectors
from jepa_core.evaluation.trained import trained_on
from jepa_core.fingerprint import fingerprint
from jepa_core.model import TrainedModel, load_model
from jepa_core.nn.stem import StemKind
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import HISTORY, read_table
from jepa_core.training.pretrain import Choice
from jepa_core.variants import ijepa, registry
from jepa_core.vectors import DescriptorError


@dataclass(frozen=True)
class Subject:
    """One method, ready to be judged."""

    variant: str
    """Name of the method, the baseline or the model."""

    seeds: tuple[int, ...]
    """One or several."""

    models: tuple[str, ...]
    """Fingerprints, one a seed."""

    describer: Describer
    """Of the first seed."""

    vectors: Callable[[], Sequence[Vectors]]
    """Makes or reads the descriptors, one a seed."""

    size: str = ""
    """Size of the method; empty for what has none."""

    encoder: ijepa.IJEPAConfig = ijepa.SIZES["tiny"]
    """A plain encoder of the same size, for comparison with an untrained one."""

    config: Mapping[str, Any] | None = None
    """The method's config record, or what is known of a user's model."""

    recipe: Mapping[str, Any] | None = None
    """How it was trained."""

    train_rows: int = 0
    """Rows that it was trained on."""

    steps: int = 0
    """Training steps."""

    training_seconds: float = 0.0
    """Of all training steps, mean over the seeds."""


def trained_subject(store: Store, data: LabelledSet, choices: Sequence[Choice]) -> Subject:
    """A method trained on the set, once a choice; the choices differ in their seed.

    Raises:
        JepaError: as `trained_on`.
    """
    return models_subject(store, data, [load_model(trained_on(store, data, choice).folder) for choice in choices])


def models_subject(store: Store, data: LabelledSet, models: Sequence[TrainedModel]) -> Subject:
    """Trained models of one method, which describe the set's rows themselves.

    Args:
        store: where descriptors are kept for the next time.
        data: the set.
        models: one a seed, read from their folders.
    """

    def vectors() -> list[Vectors]:
        # The model says nothing of the rows that it was not trained on.
        keys = [fingerprint([model.fingerprint, data.version]) for model in models]
        return [
            described_once(store.descriptors(model.name, key), model, data)
            for model, key in zip(models, keys, strict=True)
        ]

    return _of_models(models, vectors)


def archive_subject(store: Store, model: TrainedModel, data: LabelledSet, pairs: pd.DataFrame) -> Subject:
    """A data root's current model, with the descriptors that its stage wrote.

    Args:
        store: the data root.
        model: the model.
        data: the pairs as a set (`stored_pairs`), row by row those of `pairs`.
        pairs: the table of pairs.
    """

    def of_sensor(sensor: Sensor, column: str) -> dict[Any, np.ndarray]:
        found = read_descriptors(store, model.name, model.fingerprint, sensor)
        rows = pd.Index(found.patch_ids).get_indexer(pairs[column])
        if (rows < 0).any():
            raise DescriptorError(
                f"{(rows < 0).sum()} paired {sensor.name} patches have no descriptor of this {model.name} model: "
                f"run dagster asset materialize --select {model.name}_index"
            )
        return {kind: vectors[rows] for kind, vectors in found.vectors.items()}

    def vectors() -> list[Vectors]:
        return [{sensor.name: of_sensor(sensor, c) for sensor, c in zip(data.sensors, COLUMNS, strict=True)}]

    return _of_models([model], vectors)


def baseline_subject(data: LabelledSet, name: str, seeds: Sequence[int], encoder: ijepa.IJEPAConfig) -> Subject:
    """A baseline, made anew for each seed.

    Args:
        data: the set.
        name: of the baseline.
        seeds: one or several.
        encoder: size of `random-encoder`.

    Raises:
        UnknownNameError: no such baseline; the message lists those there are.
        BaselineError: the set does not allow it.
    """
    made = [
        random_encoder(data, seed, encoder) if name == "random-encoder" else baseline(name, data, seed)
        for seed in seeds
    ]
    return replace(foreign_subject(data, *made, seeds=seeds), encoder=encoder)


def foreign_subject(
    data: LabelledSet, *describers: Describer, seeds: Sequence[int] = (0,), config: Mapping[str, Any] | None = None
) -> Subject:
    """A model that a user brings: what it was trained on is not known here.

    Args:
        data: the set.
        describers: one a seed.
        seeds: one or several.
        config: what is known of the model, of the first seed.
    """
    return Subject(
        variant=describers[0].name,
        seeds=tuple(seeds),
        models=tuple(describer.fingerprint for describer in describers),
        describer=describers[0],
        vectors=lambda: [describe_rows(describer, data) for describer in describers],
        config=config,
    )


def encoder_like(config: Any) -> ijepa.IJEPAConfig:
    """A plain encoder with the tokens, stem, width and depth of a method's config.

    A stem whose windows overlap is taken for the nearest that a plain encoder has.
    """
    same = ("input_size", "patch_size", "width", "depth", "heads", "mlp_ratio")
    stem: StemKind = getattr(config, "stem", "hmlp")
    # The predictor is never used: as wide as the encoder it goes with any number of heads.
    fields = {name: getattr(config, name) for name in same}
    return replace(ijepa.SIZES["tiny"], stem=stem, predictor_width=config.width, **fields)


def _of_models(models: Sequence[TrainedModel], vectors: Callable[[], Sequence[Vectors]]) -> Subject:
    folders = [model.folder for model in models if model.folder is not None]
    descriptions = [atomic.read_json(folder / "model.json") for folder in folders]
    description = descriptions[0]
    about = description["about"]
    return Subject(
        variant=models[0].name,
        seeds=tuple(one["about"]["seed"] for one in descriptions),
        models=tuple(model.fingerprint for model in models),
        describer=models[0],
        vectors=vectors,
        size=about["size"],
        encoder=encoder_like(registry.config_from_json(models[0].name, description["config"])),
        config=description["config"],
        recipe=about["recipe"],
        train_rows=about["pairs"],
        steps=len(read_table(folders[0] / "history.parquet", HISTORY)),
        training_seconds=float(np.mean([_seconds(folder) for folder in folders])),
    )


def _seconds(folder: Path) -> float:
    return float(read_table(folder / "history.parquet", HISTORY)["seconds"].sum())
