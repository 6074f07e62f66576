"""Where networks run, and how finely they count there."""

import platform
from pathlib import Path

import pytest
import torch
from torch.backends import cuda

from jepa_core.device import in_bfloat16, multiplies_bfloat16, precision
from jepa_core.training.group import Group
from jepa_core.training.step import Step
from tests.jepa_core.variants.small import CONFIGS, batch, built, steadied

CPU = torch.device("cpu")


def test_the_processor_multiplies_bfloat16_where_the_system_says_so():
    listed = Path("/proc/cpuinfo")
    if platform.machine() not in ("x86_64", "AMD64") or not listed.exists():
        pytest.skip("no list of this processor's instructions to hold it against")
    flags = next(line.split() for line in listed.read_text().splitlines() if line.startswith("flags"))
    assert multiplies_bfloat16(CPU) == bool({"avx512_bf16", "amx_bf16"} & set(flags))
    assert precision(True, CPU) == ("bfloat16" if multiplies_bfloat16(CPU) else "float32")
    assert precision(False, CPU) == "float32"


def test_attention_is_plain_and_in_bfloat16_within_and_as_before_after():
    def switches():
        return cuda.math_sdp_enabled(), cuda.flash_sdp_enabled(), cuda.fp16_bf16_reduction_math_sdp_allowed()

    query = torch.randn(2, 2, 4, 8)
    before = switches()
    with pytest.raises(KeyError, match="on the way"), in_bfloat16(CPU):
        assert switches() == (True, False, True)
        assert torch.nn.functional.scaled_dot_product_attention(query, query, query).dtype == torch.bfloat16
        assert (query @ query.mT).dtype == torch.bfloat16
        raise KeyError("on the way")
    assert (query @ query.mT).dtype == torch.float32
    assert switches() == before


@pytest.mark.parametrize("micro_batch", [None, 3])
@pytest.mark.parametrize("variant", CONFIGS)
def test_a_step_in_bfloat16_goes_where_one_in_float32_does(variant, micro_batch, monkeypatch):
    # Also on processors that would be slower in it.
    monkeypatch.setattr("jepa_core.device.multiplies_bfloat16", lambda device: True)

    def gradient(mixed_precision):
        model = steadied(built(variant))
        step = Step(model, Group(device=CPU), micro_batch, mixed_precision, steps=1)
        loss, _ = step(batch(8), 8, torch.Generator().manual_seed(0))
        return loss.total, torch.cat([p.grad.ravel() for p in model.parameters() if p.grad is not None])

    half, full = gradient(True), gradient(False)
    assert half[0].item() == pytest.approx(full[0].item(), rel=0.02)
    assert half[0].item() != full[0].item()
    assert torch.nn.functional.cosine_similarity(half[1], full[1], dim=0) > 0.99
