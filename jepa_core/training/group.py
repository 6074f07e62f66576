"""Processes that train one network together."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from jepa_core.device import best_device
from jepa_core.training.watch import TrainingError


@dataclass(frozen=True)
class Group:
    """This process among those that share each batch."""

    rank: int = 0
    """Number of this process, from 0; the first one writes and reports."""

    size: int = 1
    """Number of processes."""

    device: torch.device = field(default_factory=best_device)
    """What this process computes on."""

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Rows of a batch that are this process's.

        Raises:
            TrainingError: the batch cannot be split evenly.
        """
        if batch % self.size:
            raise TrainingError(
                f"a batch of {batch} pairs cannot be split evenly over {self.size} processes; choose a batch_size "
                f"that {self.size} divides and no more than there are pairs"
            )
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def gathered(self, rows: Tensor) -> Tensor:
        """Rows of all processes, in the order of their ranks; no gradient goes through."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def added(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values


@contextmanager
def joined_group() -> Iterator[Group]:
    """The group that `torchrun` started this process for; a group of one where nothing did.

    NCCL between accelerators, gloo between CPUs. The group is left at the end.
    """
    if "RANK" not in os.environ:
        yield Group()
        return
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    device = best_device()
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", rank=rank, world_size=size)
    try:
        yield Group(rank, size, device)
    finally:
        dist.destroy_process_group()
