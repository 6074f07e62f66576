"""Rounds of the drill: changes and faults, then quiet, then the comparison."""

import multiprocessing
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.drill import work
from tests.drill.daemon import daemon_round
from tests.drill.events import ChangingArchive
from tests.drill.faults import FAULTS, fill_disk, mount_disk, unmount_disk
from tests.drill.scenes import simulate
from tests.drill.work import Site

DATES = 5
SETTLE_S = 0.3
PATIENCE_S = 300

# All that the children import, so that they begin to work at once, and are killed at work.
PRELOADED = [
    "tests.drill.work",
    "torch",
    "timm",
    "faiss",
    "pandera.pandas",
    "rasterio",
    "xarray",
    "zarr",
    "pipelines.definitions",
    "jepa_core.extraction",
    "jepa_core.archive.sentinel2_safe",
    "jepa_core.archive.stac",
    "jepa_core.describing.archive",
    "jepa_core.index.sync",
    "jepa_core.pairing",
    "jepa_core.model",
    "pipelines.watch",
]


@dataclass
class Outcome:
    """What a drill found."""

    seed: int
    """Of all that was random."""

    rounds: int = 0
    """That were gone through."""

    events: Counter[str] = field(default_factory=Counter)
    """What happened to the archive."""

    faults: Counter[str] = field(default_factory=Counter)
    """What happened to the runs."""

    runs: Counter[str] = field(default_factory=Counter)
    """How they ended."""

    vectors: int = 0
    """Patches compared, over all rounds."""

    identical: int = 0
    """Of those, with vectors equal in every bit."""

    largest: float = 0.0
    """Largest difference of a component."""

    different: list[str] = field(default_factory=list)
    """What differed from the fresh build."""

    seconds: float = 0.0
    """How long it took."""

    def table(self) -> str:
        """As Markdown."""
        rows = [
            ("rounds", f"{self.rounds} in {self.seconds / 60:.0f} min, seed {self.seed}"),
            ("archive", ", ".join(f"{name} {n}" for name, n in sorted(self.events.items()))),
            ("faults", ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))),
            ("runs", ", ".join(f"{name} {n}" for name, n in sorted(self.runs.items()))),
            ("patches compared", f"{self.vectors}, {self.identical} of them equal in every bit"),
            ("largest difference of a component", f"{self.largest:.2g}"),
            ("differences", str(len(self.different))),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows), *self.different])


def drill(root: Path, rounds: int, seconds: float, seed: int, daemon_every: int) -> Outcome:
    """Goes through the rounds; stops at the first difference, leaving it in the outcome."""
    site, rng, started = Site(root), random.Random(seed), time.monotonic()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    outcome = Outcome(seed)
    has_disk = mount_disk(site.data.parent)
    faults = [fault for fault in FAULTS if has_disk or fault is not fill_disk]
    try:
        site.archive.mkdir(parents=True)
        archive = ChangingArchive(site.archive, simulate(root / "pristine", DATES), rng)
        archive.start(9)
        _finish(_start(context, work.make_model, site), "the first chain", site, "chain.log")
        while outcome.rounds < rounds and time.monotonic() - started < seconds and not outcome.different:
            outcome.rounds += 1
            if daemon_every and outcome.rounds % daemon_every == 0:
                outcome.faults[daemon_round(site, archive, rng)] += 1
            else:
                _faulty_runs(context, site, archive, rng, faults, outcome)
            archive.wait()
            archive.open_all()
            _quiet(context, site, outcome)
            _compare(context, site, outcome)
            print(
                f"round {outcome.rounds}/{rounds}: {outcome.vectors} patches compared, {len(outcome.different)} "
                f"differences, {time.monotonic() - started:.0f} s",
                flush=True,
            )
        outcome.events.update(archive.counts)
    finally:
        unmount_disk(site.data.parent)
    outcome.seconds = time.monotonic() - started
    return outcome


def _faulty_runs(
    context: Any, site: Site, archive: ChangingArchive, rng: random.Random, faults: list[Any], outcome: Outcome
) -> None:
    for _ in range(rng.randint(1, 2)):
        for _ in range(rng.randint(1, 3)):
            archive.happen()
        fault = rng.choice(faults)
        run = _start(context, work.reindex, site, SETTLE_S, 2 if fault.__name__ == "kill_worker" else 1)
        if rng.random() < 0.5:
            # The archive goes on changing under the run.
            time.sleep(rng.uniform(0, 2))
            archive.happen()
        outcome.faults[fault(site, run, rng)] += 1
        run.join(PATIENCE_S)
        outcome.runs[_ending(run)] += 1


def _quiet(context: Any, site: Site, outcome: Outcome) -> None:
    """Runs without faults until there is nothing to do, as the sensor would launch them."""
    time.sleep(SETTLE_S)
    for _ in range(8):
        look = _start(context, work.is_settled, site)
        look.join(PATIENCE_S)
        if look.exitcode == 0:
            return
        # As an hour later: products wait no longer for files that were taken from them.
        run = _start(context, work.reindex, site, 0.0, 1)
        run.join(PATIENCE_S)
        outcome.runs[_ending(run)] += 1
    outcome.different.append(f"there is still something to do: {_tail(site, 'looks.log')} {_tail(site, 'runs.log')}")


def _compare(context: Any, site: Site, outcome: Outcome) -> None:
    if outcome.different:
        return
    _finish(_start(context, work.build_afresh, site), "the fresh build", site, "fresh.log")
    told = context.Queue()
    look = _start(context, work.compare, site, told)
    try:
        different, vectors, identical, largest = told.get(timeout=PATIENCE_S)
    except Exception as error:
        raise RuntimeError(f"the comparison failed: {_tail(site, 'compare.log')}") from error
    look.join(PATIENCE_S)
    outcome.different += [f"round {outcome.rounds}: {what}" for what in different]
    outcome.vectors += vectors
    outcome.identical += identical
    outcome.largest = max(outcome.largest, largest)


def _start(context: Any, target: Any, *arguments: Any) -> BaseProcess:
    process: BaseProcess = context.Process(target=target, args=arguments)
    process.start()
    return process


def _finish(process: BaseProcess, what: str, site: Site, log: str) -> None:
    process.join(PATIENCE_S)
    if process.exitcode != 0:
        raise RuntimeError(f"{what} failed with {process.exitcode}: {_tail(site, log)}")


def _ending(run: BaseProcess) -> str:
    return {0: "succeeded", 1: "failed"}.get(run.exitcode if run.exitcode is not None else -1, "died")


def _tail(site: Site, log: str) -> str:
    path = site.root / log
    return path.read_text(errors="replace")[-3000:] if path.exists() else "nothing was written"
