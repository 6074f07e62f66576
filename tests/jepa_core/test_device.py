"""Where networks run, and how finely they count there."""

from pathlib import Path

import pytest
import torch
from torch.backends import cuda

from jepa_core.device import in_bfloat16, multiplies_bfloat16
from jepa_core.training.group import Group
from jepa_core.training.step import Step
from tests.jepa_core.variants.small import CONFIGS, batch, built, steadied

CPU = torch.device("cpu")


def test_the_processor_multiplies_bfloat16_where_the_system_says_so():
    listed = Path("/proc/cpuinfo")
    if not listed.exists():
        pytest.skip("no /proc/cpuinfo to hold it against")
    flags = next((line.split() for line in listed.read_text().splitlines() if line.startswith("flags")), [])
    assert multiplies_bfloat16(CPU) == bool({"avx512_bf16", "amx_bf16"} & set(flags))


def test_products_are_in_bfloat16_within_and_as_before_after():
    query = torch.randn(2, 2, 4, 8)
    before = cuda.fp16_bf16_reduction_math_sdp_allowed()
    with in_bfloat16(CPU):
        assert torch.nn.functional.scaled_dot_product_attention(query, query, query).dtype == torch.bfloat16
        assert (query @ query.mT).dtype == torch.bfloat16
    assert (query @ query.mT).dtype == torch.float32
    assert cuda.fp16_bf16_reduction_math_sdp_allowed() == before


@pytest.mark.parametrize("variant", CONFIGS)
def test_a_step_in_bfloat16_goes_where_one_in_float32_does(variant, monkeypatch):
    # Also on processors that would be slower in it.
    monkeypatch.setattr("jepa_core.training.step.multiplies_bfloat16", lambda device: True)

    def gradient(mixed_precision):
        model = steadied(built(variant))
        step = Step(model, Group(), None, mixed_precision, steps=1)
        loss, _ = step(batch(8), 8, torch.Generator().manual_seed(0))
        return loss.total, torch.cat([p.grad.ravel() for p in model.parameters() if p.grad is not None])

    half, full = gradient(True), gradient(False)
    assert half[0].item() == pytest.approx(full[0].item(), rel=0.02)
    assert half[0].item() != full[0].item()
    assert torch.nn.functional.cosine_similarity(half[1], full[1], dim=0) > 0.99
