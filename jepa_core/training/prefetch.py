"""Batches made ready while the network works on earlier ones."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

Batch = dict[str, Tensor]


def ahead(make: Callable[[int], Batch], steps: range, device: torch.device) -> Iterator[Batch]:
    """The batches of some steps in order, each on the device.

    Threads suffice: reading, copying and numpy's arithmetic release the interpreter. On a CPU, whose cores the network
    itself needs, one batch is made ahead; for an accelerator one a core, up to eight.

    Args:
        make: gives the batch of a step; called in threads.
        steps: the steps.
        device: where batches go.
    """
    accelerated = device.type == "cuda"
    workers = min(8, os.cpu_count() or 1) if accelerated else 1
    waiting: deque[Future[Batch]] = deque()
    # Left without waiting for what was begun: a run that fails ends at once.
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    try:
        coming = iter(steps)
        for step in coming:
            waiting.append(pool.submit(make, step))
            if len(waiting) <= workers:
                continue
            yield _moved(waiting.popleft().result(), device)
        while waiting:
            yield _moved(waiting.popleft().result(), device)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _moved(batch: Batch, device: torch.device) -> Batch:
    if device.type != "cuda":
        return batch
    return {name: images.pin_memory().to(device, non_blocking=True) for name, images in batch.items()}
