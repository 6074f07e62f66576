"""A round with Dagster's own daemon: the sensor launches, and the daemon, its code server or the run is killed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import psutil

from tests.drill.events import ChangingArchive
from tests.drill.work import Site

REPO = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
PATIENCE_S = 400


def daemon_round(site: Site, archive: ChangingArchive, rng: Random) -> str:
    """Changes the archive, lets the daemon begin, kills something, starts it again, and waits until all has ended."""
    home = site.root / "daemon-home"
    if not home.exists():
        home.mkdir()
        shutil.copy(REPO / "dagster_home" / "dagster.yaml", home)
        _dagster(site, "sensor", "start", "new_acquisitions", "-m", "pipelines.definitions")
    archive.happen()
    # Something has to be new, or nothing is ever launched: an archive that is full of all scenes has none to come.
    if not archive.arrive():
        archive.touch()
    victim = rng.choice(["daemon", "daemon and all its processes", "run of the daemon"])
    before = _runs(site)
    daemon = _start(site)
    try:
        _until(site, lambda: _working(daemon) and len(_runs(site)) > len(before), "the sensor launches a run")
        time.sleep(rng.uniform(0.0, 12.0))
        _kill(daemon, victim)
        archive.happen()
        if not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE:
            daemon = _start(site)
        _until(site, lambda: not _unfinished(site) and _is_settled(site), "all is taken in, and no run is left")
    finally:
        _end(daemon)
    return f"{victim} killed"


def _environment(site: Site) -> dict[str, str]:
    return os.environ | {
        "DAGSTER_HOME": str(site.root / "daemon-home"),
        "JEPA_ARCHIVE": str(site.archive),
        "JEPA_DATA": str(site.data),
        "JEPA_SETTLE_SECONDS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(REPO),
    }


def _dagster(site: Site, *arguments: str) -> None:
    subprocess.run(
        [BIN / "dagster", *arguments], env=_environment(site), cwd=site.root, check=True, capture_output=True
    )


def _start(site: Site) -> psutil.Process:
    with (site.root / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            [BIN / "dagster-daemon", "run", "-m", "pipelines.definitions"],
            env=_environment(site),
            cwd=site.root,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return psutil.Process(daemon.pid)


def _family(daemon: psutil.Process) -> list[psutil.Process]:
    try:
        return daemon.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _workers(daemon: psutil.Process) -> list[psutil.Process]:
    """Processes that work on runs: forked by the code server, which is a process of its own."""
    found = []
    for process in _family(daemon):
        try:
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _working(daemon: psutil.Process) -> bool:
    return bool(_workers(daemon))


def _kill(daemon: psutil.Process, victim: str) -> None:
    if victim == "daemon":
        victims = [daemon]
    elif victim == "run of the daemon":
        victims = _workers(daemon)
    else:
        victims = [daemon, *_family(daemon)]
    for process in victims:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    # A large process takes a while to go, and counts as running until then: nobody would start it again.
    psutil.wait_procs(victims, timeout=60)


def _end(daemon: psutil.Process) -> None:
    family = _family(daemon)
    for process in [daemon, *family]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([daemon, *family], timeout=30)


def _runs(site: Site) -> list[str]:
    return _asked(site, "[run.run_id for run in instance.get_runs()]")


def _unfinished(site: Site) -> list[str]:
    return _asked(site, "[run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))]")


def _asked(site: Site, expression: str) -> list[str]:
    """What Dagster's storage says; asked by a process of its own, so that the driver imports no Dagster."""
    code = (
        "import dagster as dg\nfrom pipelines.unfinished import UNFINISHED\n"
        f"with dg.DagsterInstance.get() as instance: print(' '.join({expression}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(site), cwd=site.root, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def _is_settled(site: Site) -> bool:
    code = (
        "from pipelines.resources import Workspace\nfrom pipelines.watch import to_do\n"
        "print(to_do(Workspace(), thorough=True).reasons or '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(site), cwd=site.root, capture_output=True, text=True, check=True
    )
    return not done.stdout.strip()


def _until(site: Site, condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENCE_S} s until {what}: {(site.root / 'daemon.log').read_text()[-3000:]}")
        time.sleep(1.0)
