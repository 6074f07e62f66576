"""Target networks that follow the trained one (Grill et al. 2020; Assran et al. 2023, section 3)."""

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def follower(module: M) -> M:
    """A copy of a network that is not trained; `follow` moves it."""
    return deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """Moves the target's parameters: momentum x target + (1 - momentum) x online."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), 1 - momentum)
