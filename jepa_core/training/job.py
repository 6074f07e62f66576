"""One training run from its description to the model on disk, in one process or in many.

`torchrun --nproc-per-node N -m jepa_core.training.job JOB.json` runs it in N processes; pretraining writes the file and
starts just that where more than one process is asked for.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from jepa_core.atomic import read_json
from jepa_core.device import precision
from jepa_core.errors import JepaError
from jepa_core.model import save_model
from jepa_core.training.cache import open_cache
from jepa_core.training.config import TrainingConfig
from jepa_core.training.group import Group, joined_group
from jepa_core.training.loop import train
from jepa_core.training.probe import open_probe
from jepa_core.training.watch import Row, TrainingError
from jepa_core.training.whiten import whiten_on_cache
from jepa_core.variants import registry


@dataclass(frozen=True)
class Job:
    """All that a training run is made of; JSON holds it."""

    variant: str
    """Name of the method."""

    config: dict[str, Any]
    """The method's config record, as JSON holds it."""

    recipe: TrainingConfig
    """How it is trained."""

    seed: int
    """Of weights, order, masks and slices."""

    cache: str
    """Folder of the training cache."""

    probe: str | None
    """Folder of the probe; None where there is none."""

    checkpoints: str
    """Folder of the checkpoints."""

    model: str
    """Folder that takes the model."""

    about: dict[str, Any]
    """Kept with the model."""


def job_from_json(fields: Mapping[str, Any]) -> Job:
    """The job that `dataclasses.asdict` and JSON made `fields` from."""
    return Job(**{**fields, "recipe": TrainingConfig(**fields["recipe"])})


def run_job(job: Job, group: Group, on_step: Callable[[Row], None]) -> None:
    """Trains, and saves the model in the first process.

    Args:
        job: the run.
        group: the processes that share it.
        on_step: is given each step's figures, in the first process.

    Raises:
        TrainingError: the run cannot go on.
    """
    cache = open_cache(Path(job.cache))
    config = registry.config_from_json(job.variant, job.config)
    bands = {name: len(sensor.bands) for name, sensor in cache.sensors.items()}
    variant = registry.build(job.variant, config, bands, job.seed).to(group.device)
    probe = open_probe(Path(job.probe)) if job.probe and group.leads else None
    history = train(variant, cache, job.recipe, job.seed, Path(job.checkpoints), on_step, group, probe)
    if group.leads:
        whiten_on_cache(variant, cache)
        about = job.about | {
            "seed": job.seed,
            "recipe": asdict(job.recipe),
            "processes": group.size,
            "precision": precision(job.recipe.mixed_precision, group.device),
            "pairs": len(cache),
            "parameters": sum(p.numel() for p in variant.parameters() if p.requires_grad),
        }
        save_model(Path(job.model), job.variant, variant, config, cache.sensors, cache.statistics, history, about)


_GRACE = 5.0
"""Seconds that the others leave the first process to say why it fails."""

OWNER = "JEPA_TRAINING_OWNER"
"""Environment variable: the process that waits for the job. Once it is gone, a later run may be at the same job."""


def rows_file(job_file: Path) -> Path:
    """Where a job in processes of its own reports: a line a step, and a last one where it failed."""
    return job_file.with_suffix(".rows.jsonl")


def main(job_file: Path) -> int:
    """One process of the group that `torchrun` started; gives the exit status."""
    job = job_from_json(read_json(job_file))
    owner = int(os.environ.get(OWNER, "0"))

    def tell(row: Row) -> None:
        print(json.dumps(row), file=report)
        if owner and not psutil.pid_exists(owner):
            raise TrainingError(f"process {owner}, which started this training, is gone")

    with joined_group() as group, rows_file(job_file).open("a", buffering=1) as report:
        try:
            run_job(job, group, tell)
        except JepaError as error:
            if group.leads:
                print(json.dumps({"error": str(error)}), file=report)
            else:
                # What ends one process ends all alike; `torchrun` stops the first before it has reported otherwise.
                time.sleep(_GRACE)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
