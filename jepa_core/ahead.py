"""What is needed next, made ready while something works on what came before."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

K = TypeVar("K")
T = TypeVar("T")


def ahead(make: Callable[[K], T], wanted: Iterable[K], device: torch.device) -> Iterator[T]:
    """What is made of each thing wanted, in order.

    Threads suffice: reading, copying and numpy's arithmetic release the interpreter. On a CPU, whose cores the network
    itself needs, one is made ahead; for an accelerator one a core, up to eight.

    Args:
        make: gives what is wanted; called in threads.
        wanted: what to make; asked for as it is needed.
        device: what works on it.
    """
    workers = min(8, os.cpu_count() or 1) if device.type == "cuda" else 1
    waiting: deque[Future[T]] = deque()
    # Left without waiting for what was begun: a run that fails ends at once.
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        for one in wanted:
            waiting.append(pool.submit(make, one))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
