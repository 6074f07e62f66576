"""Loss and gradient of a whole batch, however many passes and processes it is spread over.

Losses such as InfoNCE, VICReg and SIGReg compare the images of a batch with each other: gradients added up over parts
of it would be those of smaller batches. Here each part is encoded, what the parts gave is put together over all
processes, the loss of the whole is taken back to it, and from there on each part carries its own rows' gradient into
the network. A batch in several parts is encoded a second time for that (gradient caching, Gao et al. 2021).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Generator, Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from jepa_core.device import in_bfloat16, precision
from jepa_core.training.group import Group
from jepa_core.variants.variant import Encoded, TrainingLoss, Variant

Rows = dict[str, Tensor]

_LEAST_STEPS_TO_COMPILE = 2000
"""Compiling takes minutes: shorter runs end sooner without."""


class Step:
    """One method's step on one group of processes."""

    def __init__(
        self, variant: Variant, group: Group, micro_batch: int | None, mixed_precision: bool, steps: int
    ) -> None:
        """Gets ready.

        Args:
            variant: the method, on the group's device.
            group: the processes.
            micro_batch: pairs that are encoded at once in each process; None for all of its share.
            mixed_precision: bfloat16 where the device multiplies it.
            steps: that will be taken.
        """
        self.variant, self.group, self.micro_batch = variant, group, micro_batch
        on_accelerator = group.device.type == "cuda"
        self.half = precision(mixed_precision, group.device) == "bfloat16"
        encode: nn.Module = _Encode(variant)
        if on_accelerator and steps >= _LEAST_STEPS_TO_COMPILE:
            encode.compile()
        if group.size > 1:
            # A term of weight 0 leaves its parameters without a gradient.
            encode = DistributedDataParallel(encode, forward_sync_buffers=False, find_unused_parameters=True)
        self.encode = encode

    def __call__(
        self, images: Mapping[str, Tensor], batch: int, generator: Generator
    ) -> tuple[TrainingLoss, dict[str, Tensor]]:
        """Adds the gradient of the whole batch's loss to the parameters.

        Args:
            images: this process's share of the batch, by sensor, on the group's device.
            batch: pairs of all processes.
            generator: a CPU generator in the same state in every process.

        Returns:
            The loss of the whole batch, and the sums for `Variant.after_step`; equal in every process.
        """
        share = self.group.share(batch)
        drawn = {name: values[share] for name, values in self.variant.draw(batch, generator).items()}
        count = share.stop - share.start
        size = min(self.micro_batch or count, count)
        parts = [slice(start, start + size) for start in range(0, count, size)]

        def encoded(part: slice) -> tuple[Rows, Rows]:
            device = self.group.device
            with in_bfloat16(device) if self.half else torch.autocast(device.type, enabled=False):
                rows, sums = self.encode(
                    {name: values[part] for name, values in images.items()},
                    {name: values[part].to(device, non_blocking=True) for name, values in drawn.items()},
                )
            return rows, sums

        with nullcontext() if len(parts) == 1 else torch.no_grad():
            found = [encoded(part) for part in parts]
        whole = {
            name: self.group.gathered(_full([rows[name].detach() for rows, _ in found])).requires_grad_()
            for name in found[0][0]
        }
        sums = {
            name: self.group.added(torch.stack([values[name] for _, values in found]).sum(dim=0))
            for name in found[0][1]
        }
        loss = self.variant.combine(Encoded(whole), generator)
        loss.total.backward()  # type: ignore[no-untyped-call]
        own = {name: rows.grad[share] for name, rows in whole.items() if rows.grad is not None}
        for i, part in enumerate(parts):
            with self._together(last=i + 1 == len(parts)):
                rows = found[0][0] if len(parts) == 1 else encoded(part)[0]
                self._carry_on(rows, {name: values[part] for name, values in own.items()})
        return loss, sums

    def _carry_on(self, rows: Rows, gradients: Rows) -> None:
        """From the rows' gradients to the parameters'."""
        names = [name for name in gradients if rows[name].requires_grad]
        # Processes' gradients are averaged; each holds but its own rows' part of the sum.
        torch.autograd.backward(
            [rows[name] for name in names],
            [(gradients[name] * self.group.size).to(rows[name].dtype) for name in names],
        )

    def _together(self, last: bool) -> AbstractContextManager[None]:
        """Gradients go to the other processes with the last part only."""
        if isinstance(self.encode, DistributedDataParallel) and not last:
            return self.encode.no_sync()
        return nullcontext()


class _Encode(nn.Module):
    """A method's encoding as a network's forward pass."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, images: Mapping[str, Tensor], drawn: Mapping[str, Tensor]) -> tuple[Rows, Rows]:
        encoded = self.variant.encode(images, drawn)
        return encoded.rows, encoded.sums


def _full(parts: list[Tensor]) -> Tensor:
    """Rows of all parts in full precision, which processes gather: one may multiply bfloat16 and another not."""
    rows = torch.cat(parts)
    return rows.to(torch.promote_types(rows.dtype, torch.float32))
