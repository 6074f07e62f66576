"""What happens to a run: it is killed, a process that helps it is, its disk is full, its folders are locked."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from tests.drill.work import Site

DISK_BYTES = 400_000_000


def mount_disk(place: Path) -> bool:
    """Gives the data root a small disk of its own, where that is allowed; tells whether it was."""
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={DISK_BYTES}"
    return subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], capture_output=True).returncode == 0


def unmount_disk(place: Path) -> None:
    """Takes the disk away."""
    subprocess.run(["umount", "-l", place], capture_output=True, check=False)


Fault = Callable[[Site, BaseProcess, random.Random], str]
"""Happens to a run that was started a moment ago; gives what happened."""


def none(site: Site, run: BaseProcess, rng: random.Random) -> str:
    """Nothing."""
    return "none"


def kill_run(site: Site, run: BaseProcess, rng: random.Random) -> str:
    """The run and all that it started are killed."""
    time.sleep(rng.uniform(0.0, 4.0))
    if not run.is_alive():
        return "kill came too late"
    os.killpg(run.pid, signal.SIGKILL)
    return "run killed"


def kill_worker(site: Site, run: BaseProcess, rng: random.Random) -> str:
    """One of the processes that describe is killed."""
    deadline = time.monotonic() + 30
    while run.is_alive() and time.monotonic() < deadline:
        try:
            workers = psutil.Process(run.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            break
        if workers:
            time.sleep(rng.uniform(0.0, 1.0))
            try:
                rng.choice(workers).kill()
            except psutil.NoSuchProcess:
                return "worker had ended"
            return "worker killed"
        time.sleep(0.05)
    return "no worker"


def fill_disk(site: Site, run: BaseProcess, rng: random.Random) -> str:
    """The disk is full for a while."""
    time.sleep(rng.uniform(0.0, 2.0))
    with _full(site.data.parent, rng.randrange(0, 200_000)):
        run.join(rng.uniform(0.5, 4.0))
    return "disk full"


def lock_folder(site: Site, run: BaseProcess, rng: random.Random) -> str:
    """A folder of the data root must not be written to for a while."""
    time.sleep(rng.uniform(0.0, 1.0))
    folders = [path for path in (site.data / name for name in FOLDERS) if path.is_dir()]
    folder = rng.choice(folders)
    folder.chmod(0o555)
    try:
        run.join(rng.uniform(0.5, 4.0))
    finally:
        folder.chmod(0o755)
    return "folder locked"


FOLDERS = ("patches/sentinel1", "patches/sentinel2", "pairs", "stages", "indexes/crjepa", "locks", "descriptors/crjepa")


@contextmanager
def _full(disk: Path, left: int) -> Iterator[None]:
    ballast = disk / "ballast"
    try:
        with ballast.open("wb") as file:
            free = os.statvfs(disk)
            room = free.f_bavail * free.f_frsize - left
            while room > 0:
                file.write(bytes(min(room, 1 << 22)))
                room -= 1 << 22
    except OSError:
        pass  # it is full
    try:
        yield
    finally:
        ballast.unlink(missing_ok=True)


FAULTS: tuple[Fault, ...] = (none, kill_run, kill_run, kill_run, kill_worker, fill_disk, lock_folder)
