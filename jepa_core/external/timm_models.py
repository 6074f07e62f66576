"""Networks of timm: `timm:NAME` with random weights, `timm:NAME:pretrained`, `timm:NAME:FILE`."""

import sys
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict

from jepa_core.external.network import Network, torch_network, weights_digest
from jepa_core.external.settings import EncoderError

_PRETRAINED = "pretrained"


def open_timm(rest: str, bands: int, side: int | None, seed: int) -> Network:
    """Pooled features of a timm model.

    Args:
        rest: the spec behind `timm:`.
        bands: of its input. Published weights of a network for three bands are adapted to others by timm; a file's
            have to fit.
        side: of its input, pixels; None: what the model was made for.
        seed: of weights that are random.

    Raises:
        EncoderError: no such model, file or network; or the weights are another network's.
    """
    name, _, weights = rest.partition(":")
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name}*")[:5])
        raise EncoderError(f"timm has no model {name!r}" + (f"; it has {near}" if near else ""))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _created(name, bands, side, weights == _PRETRAINED)
    if weights not in ("", _PRETRAINED):
        _load(model, Path(weights), name, bands)
    own_side = int(model.pretrained_cfg["input_size"][-1])
    return torch_network(model, f"timm {name} {weights_digest(model)}", side or own_side)


def _created(name: str, bands: int, side: int | None, pretrained: bool) -> Any:
    options: dict[str, Any] = {"num_classes": 0, "in_chans": bands, "pretrained": pretrained}
    try:
        return timm.create_model(name, **options) if side is None else _created_for(name, side, options)
    # The hub's errors are many and share no base but these.
    except (OSError, RuntimeError) as error:
        if pretrained:
            raise EncoderError(
                f"the weights of timm:{name} cannot be fetched, which needs a network ({_first_line(error)}); fetch "
                f"them elsewhere and type timm:{name}:FILE"
            ) from error
        raise EncoderError(f"timm:{name} cannot be made with {bands} bands: {_first_line(error)}") from error
    # Assertions and the like are of sizes that do not go together.
    except (AssertionError, ValueError, TypeError) as error:
        raise EncoderError(
            f"timm:{name} cannot be made with {bands} bands at side {side or 'its own'}: {_first_line(error)}"
        ) from error


def _created_for(name: str, side: int, options: dict[str, Any]) -> Any:
    try:
        return timm.create_model(name, img_size=side, **options)
    except TypeError as error:
        # Convolutional networks take any size and no such argument.
        if "img_size" not in str(error):
            raise
        return timm.create_model(name, **options)


def _load(model: Any, path: Path, name: str, bands: int) -> None:
    """Loads weights from a file and makes sure that they are this network's."""
    if not path.is_file():
        raise EncoderError(f"there is no file {path}; timm:{name} takes {_PRETRAINED!r} or a file of weights")
    if path.suffix not in (".safetensors", ".pth", ".pt", ".bin"):
        raise EncoderError(f"{path} is no file of weights that is known: .safetensors, .pth, .pt or .bin")
    try:
        state = load_state_dict(str(path), weights_only=True)
        # Each family of timm brings what turns the original authors' names, and grids of other sizes, into its own.
        translate = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
        state = translate(state, model) if translate else state
        classifiers = model.pretrained_cfg.get("classifier") or ()
        classifiers = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
        ours = {key: v for key, v in state.items() if not key.startswith(tuple(f"{c}." for c in classifiers))}
        missing, unexpected = model.load_state_dict(ours, strict=False)
    # Whatever a broken or foreign file makes of the steps above, it is the file's fault; shapes are a RuntimeError.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise EncoderError(f"{path} does not fit timm:{name} with {bands} bands: {' '.join(lines[:2])}") from error
    if missing or unexpected:
        raise EncoderError(
            f"{path} does not fit timm:{name}: {len(missing)} weights are missing and {len(unexpected)} are not its "
            f"own, {(list(missing) + list(unexpected))[0]} first"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
