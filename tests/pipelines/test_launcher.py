"""Which runs have lost their process, told by the launcher that dagster.yaml names."""

import subprocess
import sys
import time

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData
from dagster._core.launcher import WorkerStatus

from tests.conftest import REPO


@pytest.fixture
def instance(tmp_path):
    settings = {"run_launcher": {"module": "pipelines.launcher", "class": "WatchedRunLauncher"}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=settings) as made:
        yield made


@dg.job
def nothing():
    """Does nothing."""


def noted(instance, pid):
    """A run under way whose process has noted its number."""
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))
    return run


def status(instance, run):
    return instance.run_launcher.check_run_worker_health(run).status


def test_a_run_lives_as_long_as_the_process_that_noted_its_number(instance):
    assert instance.run_launcher.supports_check_run_worker_health
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = noted(instance, process.pid)
    assert status(instance, run) is WorkerStatus.RUNNING
    process.kill()
    # Not waited for yet: the number still stands for what is no process any more.
    time.sleep(0.2)
    assert status(instance, run) is WorkerStatus.NOT_FOUND
    process.wait()
    assert status(instance, run) is WorkerStatus.NOT_FOUND


def test_a_process_that_was_given_the_number_later_is_another(instance):
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    event = DagsterEvent(
        event_type_value=DagsterEventType.ENGINE_EVENT.value,
        job_name="nothing",
        message="Started process for run",
        event_specific_data=EngineEventData.in_process(0),
    )
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        data = EngineEventData.in_process(process.pid)
        instance.report_dagster_event(event._replace(event_specific_data=data), run.run_id, timestamp=time.time() - 60)
        assert status(instance, run) is WorkerStatus.NOT_FOUND
    finally:
        process.kill()
        process.wait()


def test_a_run_whose_process_has_not_said_anything_yet_is_left_alone(instance):
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    assert status(instance, run) is WorkerStatus.RUNNING


def test_the_instance_of_the_project_watches_its_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((REPO / "dagster_home" / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert instance.run_launcher.supports_check_run_worker_health
