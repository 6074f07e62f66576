"""Dagster's own launcher of runs, which also tells whether a run's process still lives."""

from typing import Any, Self

import psutil
from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus


class WatchedRunLauncher(DefaultRunLauncher):
    """Runs are processes of this machine, and each notes its number as it starts.

    Where the machine or the code server went down with a run, nobody else would notice: the run would count as under
    way for ever, and hold the place of the next. Run monitoring asks here, fails it, and has it launched again.
    """

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:
        """Made by Dagster, from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process that works on a run is there, and is the one that started it."""
        events = self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
        noted = [
            (int(str(fields["pid"].value)), entry.timestamp)
            for entry in events
            if entry.dagster_event is not None and "pid" in (fields := entry.dagster_event.engine_event_data.metadata)
        ]
        if not noted:
            # It is about to, in a moment.
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        pid, since = noted[-1]
        try:
            process = psutil.Process(pid)
            # Numbers are given again: the one that started later is another.
            lives = process.create_time() <= since + 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            lives = False
        if lives:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"process {pid} is gone")
