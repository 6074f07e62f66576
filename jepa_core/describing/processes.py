"""Scenes to files of descriptors in several processes of this machine."""

import multiprocessing
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path

import torch

from jepa_core.describing.scenes import Share, describe_shares
from jepa_core.errors import JepaError
from jepa_core.model import TrainedModel, load_model
from jepa_core.vectors import DescriptorError


def describe_in_processes(model: Path, shares: Sequence[Share], processes: int) -> Iterator[int]:
    """Describes shares, each in the process that is free first.

    Args:
        model: folder of the model, which each process reads.
        shares: the scenes.
        processes: how many; on several accelerators they take them by turns.

    Yields:
        How many patches were described since the last time.

    Raises:
        DescriptorError: a process failed or was killed. What was finished stays.
        JepaError: what a process itself says is wrong.
    """
    # Spawned: a fork would copy the threads' locks. dask.distributed would be a dependency more, for a queue of tasks.
    context = multiprocessing.get_context("spawn")
    # A pool for each: one pool of many, of which one is killed while another is started, waits for the other for ever.
    pools = [ProcessPoolExecutor(1, context, _begin, (number, processes)) for number in range(processes)]
    free: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()
    for pool in pools:
        free.put(pool)

    def described(share: Share) -> int:
        pool = free.get()
        try:
            return _submitted(pool, model, share).result()
        finally:
            free.put(pool)

    threads = ThreadPoolExecutor(processes)
    try:
        for done in as_completed([threads.submit(described, share) for share in shares]):
            yield done.result()
    except JepaError:
        raise
    except BrokenProcessPool as error:
        raise DescriptorError(
            "a process that describes patches was killed. What was finished stays: run again, with fewer processes "
            "where memory was short"
        ) from error
    except Exception as error:
        raise DescriptorError(
            f"a process that describes patches failed ({error!r}). What was finished stays: run again"
        ) from error
    finally:
        threads.shutdown(cancel_futures=True)
        for pool in pools:
            pool.shutdown()


def _submitted(pool: ProcessPoolExecutor, model: Path, share: Share) -> Future[int]:
    try:
        return pool.submit(_describe, model, share)
    except OSError as error:
        # Killed while it began, a process leaves a handle that the pool stumbles over.
        raise BrokenProcessPool from error


def _begin(number: int, processes: int) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    if torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    # A pool's processes outlive a parent that is killed: they would wait for tasks for ever.
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _describe(model: Path, share: Share) -> int:
    return sum(describe_shares(_loaded(model), [share]))


@cache
def _loaded(model: Path) -> TrainedModel:
    return load_model(model)
