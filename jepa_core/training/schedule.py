"""What changes over a run: learning rate, weight decay, momentum of target encoders."""

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
    return _cosine(share, config.peak_learning_rate, config.end_learning_rate)


def weight_decay(step: int, steps: int, config: TrainingConfig) -> float:
    """A cosine from start to end over all steps (I-JEPA, appendix A)."""
    return _cosine(step / max(steps - 1, 1), config.weight_decay, config.end_weight_decay)


def momentum(step: int, steps: int, config: TrainingConfig) -> float:
    """A straight line from start to end over all steps (I-JEPA, appendix A; X-JEPA)."""
    return config.momentum + step / max(steps - 1, 1) * (config.end_momentum - config.momentum)


def _cosine(share: float, start: float, end: float) -> float:
    return end + 0.5 * (1 + math.cos(math.pi * share)) * (start - end)
