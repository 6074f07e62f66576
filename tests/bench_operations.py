"""What running unattended costs: a nightly run and a look at the archive as it grows, and how soon a scene is found.

python -m tests.bench_operations            # 10, 100 and 1,000 scenes; then an arrival under Dagster's own daemon
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.world import World
from tests.growing_archive import write_dates

BIN = Path(sys.executable).parent
REPO = Path(__file__).parent.parent
SIZES = (10, 100, 1000)
REPEATS = 3

CHAIN = """
import dagster as dg
from pipelines.definitions import ASSETS, CHECKS, defs
assert dg.materialize([*ASSETS, *CHECKS], selection=dg.AssetSelection.assets("crjepa_index").upstream(),
    instance=dg.DagsterInstance.get(), resources=defs.resources,
    run_config={"ops": {"crjepa_model": {"config": {"epochs": 1}}}}).success
"""

# As the code server does: the first look of a process that has loaded everything, and those that follow.
TICK = """
import time
from pipelines.resources import Workspace
from pipelines.watch import to_do
for _ in range(2):
    before = time.process_time()
    assert not to_do(Workspace(), thorough=False).reasons
    print(f"{time.process_time() - before:.2f}")
"""


def main() -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory(prefix="bench-operations-") as folder:
        roots = {size: Path(folder) / str(size) for size in SIZES}
        for size, root in roots.items():
            _grown(root, size // 2)
        _growth(roots)
    with tempfile.TemporaryDirectory(prefix="bench-operations-") as folder:
        _arrival(Path(folder))


def _grown(root: Path, dates: int) -> None:
    """An archive of so many dates, a scene of each sensor each, with a model and its index."""
    root.mkdir()
    environment = _environment(root)
    first = min(dates, SIZES[0] // 2)
    write_dates(root / "archive", 0, first)
    _python(environment, CHAIN)
    write_dates(root / "archive", first, dates)
    write_dates(root / "archive", dates, dates + REPEATS, sensors=("s2",))
    _job(environment, 100_000)


def _growth(roots: dict[int, Path]) -> None:
    """A run with one new scene, and a look without any, at each size of the archive, the sizes in turn."""
    costs: dict[int, list[tuple[float, float]]] = {size: [] for size in roots}
    for _ in range(REPEATS):
        for size, root in roots.items():
            held = len(read_manifest(Store.at(root / "data"), SENTINEL1))
            # One radar scene more; its optical one, which is there already, pairs with it.
            write_dates(root / "archive", held, held + 1, sensors=("s1",))
            costs[size].append(_cost(partial(_job, _environment(root), 200)))
            found = len(read_manifest(Store.at(root / "data"), SENTINEL1))
            assert found == held + 1, f"{found} of {held + 1} radar scenes were taken in"
    medians = {size: [statistics.median(v) for v in zip(*of, strict=True)] for size, of in costs.items()}
    reference = medians[min(medians)]
    print("| scenes | a run with 1 new one: CPU s (ratio) | each | wall s (ratio) | looks without news, CPU s |")
    print("|---|---|---|---|---|")
    for size, (cpu, wall) in medians.items():
        looks = " / ".join(_python(_environment(roots[size]), TICK).split()[-2:])
        each = ", ".join(f"{spent:.1f}" for spent, _ in costs[size])
        first, second = cpu / reference[0], wall / reference[1]
        print(f"| {size} | {cpu:.1f} ({first:.2f}) | {each} | {wall:.1f} ({second:.2f}) | {looks} |", flush=True)


def _arrival(root: Path) -> None:
    """From a scene's rename into the archive to its being found by `jepa search`, with the sensor on."""
    environment = _environment(root)
    write_dates(root / "archive", 0, 5)
    _python(environment, CHAIN)
    scene = write_sentinel2_safe(
        root / "coming",
        World(7),
        left=399_600,
        top=5_500_020,
        size_m=20_040.0,
        time=datetime(2022, 5, 1, 10, tzinfo=UTC),
        copies=False,
    )
    _dagster(environment, "sensor", "start", "new_acquisitions", "-m", "pipelines.definitions")
    with _daemon(environment):
        _until(lambda: (root / "home" / "schedules").exists(), 60)
        time.sleep(45)  # its first looks, at an archive without news
        query = str(read_patches(Store.at(root / "data"), SENTINEL2)["patch_id"].iloc[0])
        record = root / "data" / "stages" / "crjepa_index.json"
        before = record.stat().st_mtime
        scene.rename(root / "archive" / scene.name)
        arrived = time.monotonic()
        # Searching all the time would keep a core from the work that is waited for.
        _until(lambda: record.stat().st_mtime > before, 300)
        _until(lambda: _is_found(environment, query, scene.name.removesuffix(".SAFE")), 60)
        print(f"a scene of 2,000 x 2,000 pixels was found {time.monotonic() - arrived:.0f} s after it had come")


def _is_found(environment: dict[str, str], query: str, scene: str) -> bool:
    command = [BIN / "jepa", "search", "--patch", query, "--to", "s2", "--scene", scene, "-k", "1"]
    return scene in subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def _environment(root: Path) -> dict[str, str]:
    (root / "home").mkdir(exist_ok=True)
    shutil.copy(REPO / "dagster_home" / "dagster.yaml", root / "home")
    return os.environ | {
        "DAGSTER_HOME": str(root / "home"),
        "JEPA_ARCHIVE": str(root / "archive"),
        "JEPA_DATA": str(root / "data"),
        "PYTHONPATH": str(REPO),
    }


def _job(environment: dict[str, str], at_most: int) -> None:
    config = Path(environment["DAGSTER_HOME"]) / "job.yaml"
    config.write_text(f"at_most: {at_most}\n")
    _dagster(
        environment,
        "job",
        "execute",
        "-m",
        "pipelines.definitions",
        "-j",
        "reindex_new_acquisitions",
        "-c",
        str(config),
    )


def _dagster(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([BIN / "dagster", *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"dagster {' '.join(arguments)} failed: {done.stdout[-2000:]} {done.stderr[-2000:]}")


def _python(environment: dict[str, str], code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done.stdout


def _cost(do: Callable[[], None]) -> tuple[float, float]:
    """Seconds of processor time of all processes, and by the clock."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    do()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, time.monotonic() - started


@contextmanager
def _daemon(environment: dict[str, str]):
    daemon = subprocess.Popen(
        [BIN / "dagster-daemon", "run", "-m", "pipelines.definitions"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait()


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("it took too long")
        time.sleep(1)


if __name__ == "__main__":
    main()
