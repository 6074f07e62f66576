"""The one training loop: it knows a method by its contract alone."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.optim import AdamW
from tqdm import tqdm

from jepa_core.errors import JepaError
from jepa_core.progress import track
from jepa_core.training.batches import batch_at, model_generator, steps_per_epoch
from jepa_core.training.cache import TrainingCache
from jepa_core.training.checkpoint import load_checkpoint, save_checkpoint
from jepa_core.training.config import TrainingConfig
from jepa_core.training.monitors import effective_rank, least_std, mean_std
from jepa_core.training.schedule import learning_rate
from jepa_core.variants.variant import TrainingLoss, Variant

Row = dict[str, float]
"""Figures of one step, by name; `step` counts from 1."""


class TrainingError(JepaError):
    """Training cannot go on."""


def train(
    variant: Variant,
    cache: TrainingCache,
    config: TrainingConfig,
    seed: int,
    folder: Path,
    on_step: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Trains in place, from the last checkpoint in `folder` where there is one.

    All that is random depends on seed and step, so that a killed run goes on to the weights of one that was
    not, bit for bit on the CPU of one machine.

    Args:
        variant: a freshly built method, on the device to train on.
        cache: the training pairs.
        config: the recipe.
        seed: of order, augmentation, masks and slices.
        folder: for checkpoints; one a run.
        on_step: is given each step's figures, those of steps before a resume included.

    Returns:
        The figures of every step.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    device = next(variant.parameters()).device
    optimizer = AdamW(_parameter_groups(variant, config.weight_decay))
    per_epoch = steps_per_epoch(len(cache), config.batch_size)
    total = config.epochs * per_epoch
    done, history = load_checkpoint(folder, variant, optimizer)
    for row in history:
        on_step(row)
    saved = time.monotonic()
    variant.train()
    progress = track(range(done, total), "Training", unit="step")
    for step in progress:
        started = time.perf_counter()
        rate = learning_rate(step, per_epoch, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = batch_at(cache, step, config.batch_size, seed)
        loss = variant.training_loss(
            {name: images.to(device) for name, images in batch.items()}, model_generator(seed, step)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(variant.parameters(), config.gradient_clip)
        # Before the weights are touched: what is saved is always good.
        if not (math.isfinite(loss.total.item()) and math.isfinite(norm.item())):
            raise TrainingError(
                f"the loss is {loss.total.item()} and its gradient's norm {norm.item()} at step {step + 1}; the last "
                f"good state, of step {done}, is in {folder}. Look for pixels far outside their band's range."
            )
        optimizer.step()

        row = _row(step, loss, rate, float(norm), time.perf_counter() - started)
        if (step + 1) % config.monitor_steps == 0 or step + 1 == total:
            row |= _monitors(loss)
        history.append(row)
        on_step(row)
        if isinstance(progress, tqdm):
            progress.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
        if time.monotonic() - saved > config.checkpoint_seconds or step + 1 == total:
            save_checkpoint(folder, step + 1, variant, optimizer, history)
            saved, done = time.monotonic(), step + 1
    return history


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices are decayed; biases, norms, positions and queries are not."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim >= 2 and not name.endswith(("position", "query"))
        (matrices if plain else others).append(parameter)
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _row(step: int, loss: TrainingLoss, rate: float, norm: float, seconds: float) -> Row:
    return {
        "step": float(step + 1),
        "loss": loss.total.item(),
        **{name: term.item() for name, term in loss.terms.items()},
        "learning_rate": rate,
        "gradient_norm": norm,
        "seconds": seconds,
    }


def _monitors(loss: TrainingLoss) -> Row:
    figures = {}
    with torch.no_grad():
        for name, embeddings in loss.embeddings.items():
            figures[f"std_{name}"] = mean_std(embeddings)
            figures[f"least_std_{name}"] = least_std(embeddings)
            figures[f"effective_rank_{name}"] = effective_rank(embeddings)
    return figures
