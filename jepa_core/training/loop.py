"""The one training loop: it knows a method by its contract alone."""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn
from torch.optim import AdamW
from tqdm import tqdm

from jepa_core.ahead import ahead
from jepa_core.device import on_device
from jepa_core.progress import track
from jepa_core.training.batches import batch_at, model_generator, steps_per_epoch
from jepa_core.training.cache import TrainingCache
from jepa_core.training.checkpoint import latest_step, load_checkpoint, save_checkpoint
from jepa_core.training.config import TrainingConfig
from jepa_core.training.group import Group
from jepa_core.training.schedule import learning_rate, momentum, weight_decay
from jepa_core.training.step import Step
from jepa_core.training.watch import Row, TrainingError, look, suspected
from jepa_core.variants.variant import TrainingLoss, Variant

_NOT_DECAYED = {"position", "query", "psa_factor"}


def train(
    variant: Variant,
    cache: TrainingCache,
    config: TrainingConfig,
    seed: int,
    folder: Path,
    on_step: Callable[[Row], None] = lambda row: None,
    group: Group | None = None,
    probe: Callable[[Variant, TrainingCache], Row] | None = None,
) -> list[Row]:
    """Trains in place, from the last checkpoint in `folder` where there is one.

    All that is random depends on seed and step, so that a killed run goes on to the weights of one that was
    not, bit for bit on the CPU of one machine.

    Args:
        variant: a freshly built method, on the group's device.
        cache: the training pairs.
        config: the recipe.
        seed: of order, augmentation, masks and slices.
        folder: for checkpoints; one a run.
        on_step: is given each step's figures, those of steps before a resume included; in the first process.
        group: the processes that share each batch; by default this one alone, where the variant is.
        probe: looks at the network now and then, in the first process.

    Returns:
        The figures of every step.

    Raises:
        TrainingError: the loss is no longer a number, the embeddings have collapsed, or batches hold a single pair or
            cannot be shared evenly.
    """
    group = group or Group(device=next(variant.parameters()).device)
    optimizer = AdamW(_parameter_groups(variant))
    per_epoch = steps_per_epoch(len(cache), config.batch_size)
    batch = min(config.batch_size, len(cache))
    if batch < 2:
        raise TrainingError(f"a batch of {batch} pair has nothing to compare; there are {len(cache)} training pairs")
    share = group.share(batch)
    total = config.epochs * per_epoch
    done, history = load_checkpoint(folder, variant, optimizer)
    if group.leads:
        for row in history:
            on_step(row)
    doubts = 0  # nothing is saved while there are any
    step_of = Step(variant, group, config.micro_batch, config.mixed_precision, total - done)
    saved = time.monotonic()
    variant.train()
    batches = ahead(
        lambda step: batch_at(cache, step, config.batch_size, seed, variant.paired, share),
        range(done, total),
        group.device,
    )
    progress: Iterable[int] = range(done, total)
    if group.leads:
        progress = track(progress, f"Training, from step {done} on" if done else "Training", total, "step", done)
    for step in progress:
        started = time.perf_counter()
        images = {name: on_device(values, group.device) for name, values in next(batches).items()}
        waited = time.perf_counter() - started
        rate, decay = learning_rate(step, per_epoch, config), weight_decay(step, total, config)
        for parameters in optimizer.param_groups:
            parameters["lr"] = rate
            parameters["weight_decay"] = decay if parameters["decayed"] else 0.0
        optimizer.zero_grad(set_to_none=True)
        loss, sums = step_of(images, batch, model_generator(seed, step))
        norms = [
            float(nn.utils.clip_grad_norm_(part.parameters(), config.gradient_clip)) for part in variant.independent()
        ]
        # Before the weights are touched: what is saved is always good.
        if not (math.isfinite(loss.total.item()) and all(map(math.isfinite, norms))):
            raise TrainingError(
                f"the loss is {loss.total.item()} and its gradient's norm {max(norms)} at step {step + 1}; "
                f"{_last_good(folder)}. Look for pixels far outside their band's range, and at the recipe."
            )
        optimizer.step()
        variant.after_step(momentum(step, total, config), sums)

        if not group.leads:
            continue
        row = _row(step, loss, rate, max(norms))
        # Read from the device by now, so that its work is in the time.
        seconds = time.perf_counter() - started
        row |= {
            "seconds": seconds,
            "seconds_waiting_for_data": waited,
            "images_per_second": batch * len(variant.sensors) / seconds,
        }
        last = step + 1 == total
        if (step + 1) % config.monitor_steps == 0 or last:
            row |= look(loss, variant.paired)
            doubt = suspected(row, batch, config)
            doubts = doubts + 1 if doubt else 0
            if doubts >= config.patience:
                raise TrainingError(
                    f"collapsed: at step {step + 1} {doubt}, and it has looked like that for {doubts} looks, "
                    f"{config.monitor_steps} steps apart; {_last_good(folder)}. Look at "
                    "what keeps the method from collapse: the weights of its regulariser, or too high a learning rate."
                )
        if probe is not None and ((step + 1) % config.probe_steps == 0 or last):
            row |= probe(variant, cache)
        history.append(row)
        on_step(row)
        if isinstance(progress, tqdm):
            progress.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
        # Nothing is saved while collapse is suspected: what is on disk is good.
        if (time.monotonic() - saved > config.checkpoint_seconds and not doubts) or last:
            save_checkpoint(folder, step + 1, variant, optimizer, history)
            saved = time.monotonic()
    return history


def _parameter_groups(model: nn.Module) -> list[dict[str, object]]:
    """Matrices are decayed; biases, norms, positions and queries are not, nor what is not trained."""
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            matrix = parameter.ndim >= 2 and not _NOT_DECAYED & set(name.split("."))
            (decayed if matrix else others).append(parameter)
    return [{"params": decayed, "decayed": True}, {"params": others, "decayed": False}]


def _row(step: int, loss: TrainingLoss, rate: float, norm: float) -> Row:
    names = ["loss", *loss.terms]
    # One copy from the device, not one a figure.
    values = torch.stack([loss.total.detach(), *(term.to(loss.total.dtype) for term in loss.terms.values())]).tolist()
    return {
        "step": float(step + 1),
        **dict(zip(names, values, strict=True)),
        "learning_rate": rate,
        "gradient_norm": norm,
    }


def _last_good(folder: Path) -> str:
    step = latest_step(folder)
    return f"the last good state, of step {step}, is in {folder}" if step else "no good state was saved before it"
