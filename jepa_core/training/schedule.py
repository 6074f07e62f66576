"""The learning rate over a run."""

import math

from jepa_core.training.config import TrainingConfig


def learning_rate(step: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """Linear warm-up from start to peak, then a cosine to the end value.

    Args:
        step: counts from 0 to `config.epochs * steps_per_epoch - 1`.
        steps_per_epoch: batches in an epoch.
        config: the three rates and the warm-up.
    """
    warmup = min(config.warmup_epochs, config.epochs) * steps_per_epoch
    last = config.epochs * steps_per_epoch - 1
    if step < warmup:
        share = step / warmup
        return config.start_learning_rate + share * (config.peak_learning_rate - config.start_learning_rate)
    share = (step - warmup) / max(last - warmup, 1)
    return config.end_learning_rate + 0.5 * (1 + math.cos(math.pi * share)) * (
        config.peak_learning_rate - config.end_learning_rate
    )
