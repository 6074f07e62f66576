"""Loss and gradient of a batch do not depend on how it is spread over passes and processes."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from jepa_core.training.group import Group
from jepa_core.training.step import Step, _Encode
from jepa_core.training.watch import TrainingError
from tests.jepa_core.variants.small import CONFIGS, batch, built, steadied

CASES = {
    **{variant: (variant, {}) for variant in CONFIGS},
    # Sums over the batch, rows that are no pairs, parameters that have no gradient, masks of several lengths.
    "xjepa by covariance": ("xjepa", {"psa_matrix": "covariance"}),
    "xjepa unpaired": ("xjepa", {"pairing": "unpaired"}),
    "crjepa without its cross head": ("crjepa", {"weight_cross": 0.0, "weight_sigreg": 0.0}),
    "crjepa with one head": ("crjepa", {"single_head": True, "target": "ema"}),
    "lejepa with one head": ("lejepa", {"single_head": True}),
    "rejepa with blocks": ("rejepa", {"targets": "blocks"}),
}
PAIRS = 8


def figures(case, group, micro_batch):
    """Loss, terms, sums and gradients of one step, in double precision so that they are exact."""
    variant, changes = CASES[case]
    model = steadied(built(variant, **changes).double())
    step = Step(model, group, micro_batch, mixed_precision=True, steps=1)
    share = group.share(PAIRS)
    images = {name: values[share].double() for name, values in batch(PAIRS).items()}
    loss, sums = step(images, PAIRS, torch.Generator().manual_seed(0))
    return {
        "total": loss.total.detach(),
        **{f"term {name}": value for name, value in loss.terms.items()},
        **{f"sum {name}": value for name, value in sums.items()},
        **{
            f"gradient {name}": parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and parameter.grad.abs().sum() > 0
        },
    }


def plain(case):
    """The same without `Step`: the loss of the batch in one piece, and autograd."""
    variant, changes = CASES[case]
    model = steadied(built(variant, **changes).double())
    generator = torch.Generator().manual_seed(0)
    loss = model.training_loss({name: values.double() for name, values in batch(PAIRS).items()}, generator)
    loss.total.backward()
    gradients = {
        f"gradient {name}": parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }
    return {"total": loss.total.detach(), **{f"term {k}": v for k, v in loss.terms.items()}, **gradients}


def assert_equal(found, expected):
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-8, atol=1e-11, msg=name)
    assert {n for n in found if n.startswith("gradient")} == {n for n in expected if n.startswith("gradient")}


@pytest.mark.parametrize("micro_batch", [None, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_in_parts_it_is_the_loss_and_the_gradient_of_the_whole_batch(case, micro_batch):
    assert_equal(figures(case, Group(), micro_batch), plain(case))


def test_gradients_of_parts_added_up_would_be_others():
    """What the caching is for: InfoNCE over half a batch is another loss."""
    model = built("crjepa").double()
    images = {name: values.double() for name, values in batch(PAIRS).items()}
    for half in (slice(0, 4), slice(4, 8)):
        part = {name: values[half] for name, values in images.items()}
        (model.training_loss(part, torch.Generator().manual_seed(0)).total / 2).backward()
    whole = plain("crjepa")["gradient heads.cross.0.weight"]
    assert not torch.allclose(model.heads["cross"][0].weight.grad, whole, rtol=0.1)


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    group = Group(rank, 2, torch.device("cpu"))
    found = {case: [figures(case, group, micro_batch) for micro_batch in (None, 3)] for case in CASES}
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("group")
    mp.spawn(one_of_two, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_with_half_the_batch_each_equal_one_with_all_of_it(of_two_processes, case):
    expected = figures(case, Group(), None)
    for rank in range(2):
        for found in of_two_processes[rank][case]:
            assert_equal(found, expected)


def test_a_batch_that_processes_cannot_share_evenly_is_a_plain_error():
    assert Group(1, 2, torch.device("cpu")).share(8) == slice(4, 8)
    with pytest.raises(TrainingError, match="a batch of 9 pairs cannot be split evenly over 2 processes"):
        Group(0, 2, torch.device("cpu")).share(9)


@pytest.mark.slow
@pytest.mark.parametrize("variant", CONFIGS)
def test_compiled_it_gives_the_same_rows(variant):
    """Traced as it is for an accelerator; the code that is made of it is the compiler's own affair."""
    model = built(variant)
    encode = _Encode(model)
    drawn = model.draw(4, torch.Generator().manual_seed(0))
    expected, _ = encode(batch(4), drawn)
    encode.compile(backend="aot_eager")
    found, _ = encode(batch(4), drawn)
    for name, rows in expected.items():
        torch.testing.assert_close(found[name], rows, msg=name)
