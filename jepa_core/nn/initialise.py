"""Random weights to start from."""

import torch
from torch import nn

from jepa_core.nn.patch_stem import PatchStem
from jepa_core.nn.trunk import Trunk


def initialise_vit(network: nn.Module) -> None:
    """Weights of every linear map and convolution from a normal of 0.02, cut off; biases 0.

    The last map of each residual branch of a trunk is divided by sqrt(2 x its block's number), so that deep trunks
    start near the identity (released I-JEPA code). `PatchStem` keeps its own.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, PatchStem):
            module.initialise()
        if isinstance(module, Trunk):
            _shrink_branches(module)


@torch.no_grad()
def _shrink_branches(trunk: Trunk) -> None:
    for number, block in enumerate(trunk.blocks, start=1):
        for name in ("attn.proj", "mlp.fc2"):
            block.get_parameter(f"{name}.weight").div_((2 * number) ** 0.5)
