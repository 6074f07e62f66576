"""Scenes to files of descriptors in several processes of this machine."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from jepa_core.describing.scenes import Share, describe_shares
from jepa_core.errors import JepaError
from jepa_core.model import TrainedModel, load_model
from jepa_core.vectors import DescriptorError

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized


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
    pool = ProcessPoolExecutor(processes, context, _begin, (processes, context.Value("i", 0)))
    try:
        try:
            tasks = [pool.submit(_describe, model, share) for share in shares]
        except OSError as error:
            # Killed while it began, a process leaves a handle that the pool stumbles over.
            raise BrokenProcessPool from error
        for done in as_completed(tasks):
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
        pool.shutdown(cancel_futures=True)


def _begin(processes: int, begun: "Synchronized[int]") -> None:
    with begun.get_lock():
        number = begun.value
        begun.value += 1
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
