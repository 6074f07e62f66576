"""A run's state on disk: weights, optimiser moments, step and history. No pickle."""

import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import AdamW

from jepa_core import atomic
from jepa_core.errors import JepaError

_KEPT = 2


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: AdamW, history: list[dict[str, float]]
) -> None:
    """Writes `folder/step-<step>` atomically and keeps the last two.

    Args:
        folder: of the run.
        step: steps done.
        model: its parameters and buffers are saved.
        optimizer: AdamW over parameters of the model.
        history: a row a step.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    with atomic.new_folder(folder / f"step-{step:08d}") as temporary:
        save_file({name: t.contiguous() for name, t in tensors.items()}, temporary / "state.safetensors")
        atomic.write_json(temporary / "history.json", history)
    for old in _found(folder)[:-_KEPT]:
        shutil.rmtree(old)


def latest_step(folder: Path) -> int:
    """Steps done at the newest checkpoint; 0 where there is none."""
    found = _found(folder)
    return int(found[-1].name.removeprefix("step-")) if found else 0


def load_checkpoint(folder: Path, model: nn.Module, optimizer: AdamW) -> tuple[int, list[dict[str, float]]]:
    """Puts the newest checkpoint into model and optimiser.

    Returns:
        Steps done and the history; 0 and nothing where there is no checkpoint.

    Raises:
        JepaError: it is damaged; the message names it.
    """
    found = _found(folder)
    if not found:
        return 0, []
    newest = found[-1]
    try:
        weights, moments = _read(newest / "state.safetensors")
        history = atomic.read_json(newest / "history.json")
    except (SafetensorError, JepaError) as error:
        raise JepaError(
            f"the checkpoint {newest} is damaged ({error.__cause__ or error}). Delete that folder and run again: "
            "training goes on from the one before it, or from the start where there is none"
        ) from error
    model.load_state_dict(weights)
    for parameter_name, parameter in model.named_parameters():
        if parameter_name in moments:
            state: dict[str, Any] = moments[parameter_name]
            # AdamW counts steps on the CPU; its moments lie with their parameter.
            optimizer.state[parameter] = {
                entry: value if entry == "step" else value.to(parameter.device) for entry, value in state.items()
            }
    return latest_step(folder), history


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """Weights by name, and the optimiser's moments by the parameter's name."""
    weights: dict[str, Tensor] = {}
    moments: dict[str, dict[str, Tensor]] = {}
    with safe_open(path, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118  (not a dictionary: it cannot be iterated)
            kind, _, name = key.partition(".")
            if kind == "model":
                weights[name] = file.get_tensor(key)
            else:
                entry, _, parameter_name = name.partition(".")
                moments.setdefault(parameter_name, {})[entry] = file.get_tensor(key)
    return weights, moments


def _found(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first: one whose removal was cut short does not count."""
    whole = ("state.safetensors", "history.json")
    return sorted(path for path in folder.glob("step-*") if all((path / part).exists() for part in whole))
