"""Looks at the embeddings of a run, and the end of one that has collapsed."""

from collections.abc import Mapping

import torch

from jepa_core.errors import JepaError
from jepa_core.training.config import TrainingConfig
from jepa_core.training.monitors import alignment, effective_rank, least_std, mean_std, spread, uniformity
from jepa_core.variants.variant import TrainingLoss

Row = dict[str, float]
"""Figures of one step, by name; `step` counts from 1."""

_SPREAD, _RANK = "spread_", "effective_rank_"


class TrainingError(JepaError):
    """Training cannot go on."""


@torch.no_grad()
def look(loss: TrainingLoss, paired: bool) -> Row:
    """Monitors of a batch's embeddings.

    Args:
        loss: of the step.
        paired: whether row i of both sensors' embeddings is of one pair.
    """
    figures = {}
    if torch.cuda.is_available():
        figures["accelerator_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    for kind, by_sensor in loss.embeddings.items():
        for sensor, embeddings in by_sensor.items():
            name = f"{kind}_{sensor}"
            figures[f"std_{name}"] = mean_std(embeddings)
            figures[f"least_std_{name}"] = least_std(embeddings)
            figures[f"{_SPREAD}{name}"] = spread(embeddings)
            figures[f"{_RANK}{name}"] = effective_rank(embeddings)
            if len(embeddings) > 1:
                figures[f"uniformity_{name}"] = uniformity(embeddings)
        if paired and len(by_sensor) == 2:
            figures[f"alignment_{kind}"] = alignment(*by_sensor.values())
    return figures


def suspected(row: Mapping[str, float], batch: int, config: TrainingConfig) -> str:
    """What looks like collapse in a step's monitors, in words; empty where nothing does."""
    for name, value in row.items():
        if name.startswith(_SPREAD) and value < config.least_spread:
            return f"the unit embeddings {name.removeprefix(_SPREAD)} spread by {value:.2g}"
        # Two vectors, centred, have rank 1 however healthy.
        if name.startswith(_RANK) and batch > 2 and value < config.least_rank:
            return f"the embeddings {name.removeprefix(_RANK)} have the effective rank {value:.2f}"
    return ""
