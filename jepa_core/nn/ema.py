"""Target networks that follow the trained one (Grill et al. 2020; Assran et al. 2023, section 3)."""

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

M = TypeVar("M", bound=nn.Module)


def follower(module: M) -> M:
    """A copy of a network that is not trained; `follow` moves it."""
    return deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """Moves the target's parameters: momentum x target + (1 - momentum) x online."""
    average = get_ema_multi_avg_fn(momentum)  # type: ignore[no-untyped-call]
    average(list(target.parameters()), list(online.parameters()), torch.tensor(0))
