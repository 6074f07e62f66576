"""A training job in several processes of this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from jepa_core.training.job import OWNER, rows_file
from jepa_core.training.watch import Row, TrainingError


def run_in_processes(job_file: Path, processes: int, on_step: Callable[[Row], None]) -> None:
    """Runs a job under `torchrun` and waits for it.

    Args:
        job_file: the job's description.
        processes: how many share each batch.
        on_step: is given each step's figures as they come.

    Raises:
        TrainingError: the run failed; the message is the process's own, where it left one.
    """
    report = rows_file(job_file)
    report.write_text("")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    process = subprocess.Popen(  # noqa: S603
        [*command, "-m", "jepa_core.training.job", str(job_file)], env=os.environ | {OWNER: str(os.getpid())}
    )
    failure = ""
    try:
        with report.open() as lines:
            while True:
                ended = process.poll() is not None
                while line := lines.readline():
                    fields = json.loads(line)
                    if "error" in fields:
                        failure = fields["error"]
                    else:
                        on_step(fields)
                if ended:
                    break
                time.sleep(0.2)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode:
        raise TrainingError(
            failure or f"training in {processes} processes ended with status {process.returncode}; see the log above"
        )
