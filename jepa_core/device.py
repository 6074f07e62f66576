"""Where networks run, and how finely they count there."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.backends import cuda
from torch.nn.attention import SDPBackend, sdpa_kernel


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_device(images: Tensor, device: torch.device) -> Tensor:
    """Images from the CPU on the device, there once what was asked of it before is done."""
    if device.type != "cuda":
        return images
    return images.pin_memory().to(device, non_blocking=True)


def in_full(like: Tensor) -> AbstractContextManager[object]:
    """Products in the precision of their factors, also under mixed precision.

    A covariance in bfloat16 may come out with negative eigenvalues.

    Args:
        like: on the device of the factors. On meta, where sizes are counted, there is no precision to keep.
    """
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for products in bfloat16: one without is slower in it than in float32.

    Of processors only x86 is asked.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def precision(mixed: bool, device: torch.device) -> str:
    """What a training whose recipe allows mixed precision or not multiplies in there: `bfloat16` or `float32`."""
    return "bfloat16" if mixed and multiplies_bfloat16(device) else "float32"


@contextmanager
def in_bfloat16(device: torch.device) -> Iterator[None]:
    """Products in bfloat16, by torch's autocast, which leaves parameters and what is float64 as they are.

    In bfloat16 a processor's fused attention takes two to eight times as long as plain products do (torch 2.15, 196
    to 16 tokens), most of it in the backward pass; an accelerator's is the faster one. How attention is computed is a
    switch of the whole process, and is as it was before when the block ends.

    Args:
        device: where the network is; one that `multiplies_bfloat16`.
    """
    if device.type != "cpu":
        with torch.autocast(device.type, torch.bfloat16):
            yield
        return
    # Without this, plain attention turns to float32. It holds on any device; torch leaves its functions without types.
    before = bool(cuda.fp16_bf16_reduction_math_sdp_allowed())  # type: ignore[no-untyped-call]
    cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        cuda.allow_fp16_bf16_reduction_math_sdp(before)
