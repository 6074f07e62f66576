"""Where networks run."""

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
    """Whether the device has instructions for products in bfloat16; a processor without is slower in it than not."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu":
        return False
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


@contextmanager
def in_bfloat16(device: torch.device) -> Iterator[None]:
    """Products in bfloat16, sums and norms in float32.

    The processor's fused attention takes four times as long in bfloat16 as plain products do, its backward pass seven
    (64 tokens, `make bench`); the accelerator's is the faster one.

    Args:
        device: where the network is; one that `multiplies_bfloat16`.
    """
    # Of plain products on any device, whatever its name says; torch leaves the function without types.
    before = bool(cuda.fp16_bf16_reduction_math_sdp_allowed())  # type: ignore[no-untyped-call]
    plain = sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
    with torch.autocast(device.type, torch.bfloat16), plain:
        cuda.allow_fp16_bf16_reduction_math_sdp(device.type == "cpu" or before)
        try:
            yield
        finally:
            cuda.allow_fp16_bf16_reduction_math_sdp(before)
