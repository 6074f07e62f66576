"""Dagster and MLflow on a real PostgreSQL server, by JEPA_POSTGRES alone."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import psutil
import pytest
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from mlflow import MlflowClient
from sqlalchemy import make_url

from jepa_core.errors import JepaError
from jepa_core.store import Store
from pipelines.resources import Tracking, Workspace, tracking_uri
from tests.conftest import REPO
from tests.pipelines.postgres_server import PASSWORD, new_root
from tests.pipelines.test_command import dagster, dagster_dev, graphql, mlflow_ui, wait_for_locations

pytestmark = pytest.mark.slow


@dg.asset
def tracked(context: dg.AssetExecutionContext, workspace: Workspace, tracking: Tracking) -> dg.MaterializeResult:
    """What every stage does that MLflow is told of."""
    with tracking.run(workspace.store(), context, "tracked", "0" * 64, {"size": "tiny"}) as run:
        run.log_figures({"loss": 0.5})
        return dg.MaterializeResult(metadata={"mlflow": dg.MetadataValue.url(run.url)})


@pytest.fixture(scope="module")
def made(server, synthetic_archive, tmp_path_factory):
    """Patches made by the real command with the setting alone, then an asset with a run of MLflow."""
    root, address = new_root(tmp_path_factory.mktemp("made")), server.new_database()
    where = {"JEPA_ARCHIVE": str(synthetic_archive), "JEPA_DATA": str(root / "data")}
    done = dagster(root, "asset", "materialize", "--select", "sentinel1_patches", **where, JEPA_POSTGRES=address)
    assert done.returncode == 0, done.stdout
    made = SimpleNamespace(root=root, address=address, said=done.stdout)
    with pytest.MonkeyPatch.context() as patch, opened(made, patch) as instance:
        workspace = Workspace(archive=str(synthetic_archive), data=str(root / "data"))
        dg.materialize([tracked], instance=instance, resources={"workspace": workspace, "tracking": Tracking()})
    return made


def opened(made, patch):
    """Dagster's instance on the same database."""
    patch.setenv("DAGSTER_HOME", str(made.root / "dagster_home"))
    patch.setenv("JEPA_POSTGRES", made.address)
    return dg.DagsterInstance.get()


@pytest.fixture
def instance(made, monkeypatch):
    """The instance that `made` was made in."""
    with opened(made, monkeypatch) as instance:
        yield instance


def test_runs_and_events_are_in_postgresql_and_no_sqlite_file_is_written(made, instance, server):
    runs = instance.get_runs()
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
    assert set(server.ask("select run_id from dagster.runs", made.address)) == {(run.run_id,) for run in runs}
    for name, run in zip(("tracked", "sentinel1_patches"), runs, strict=True):
        assert instance.get_latest_materialization_event(dg.AssetKey(name)).run_id == run.run_id
    written = [path for path in made.root.rglob("*") if path.is_file()]
    assert not [path for path in written if path.read_bytes()[:15] == b"SQLite format 3"]


def test_each_has_a_schema_with_its_own_alembic_version(made, server):
    tables = server.ask("select schemaname, tablename from pg_tables where schemaname !~ '^pg_|^inf'", made.address)
    assert {schema for schema, _ in tables} == {"dagster", "mlflow"}
    assert {("dagster", "alembic_version"), ("mlflow", "alembic_version")} <= set(tables)


def test_the_mlflow_run_is_there_and_linked_with_the_dagster_run_both_ways(made, instance):
    store = Store.at(made.root / "data")
    client = MlflowClient(tracking_uri(store))
    (found,) = client.search_runs([client.get_experiment_by_name("tracked").experiment_id])
    event = instance.get_latest_materialization_event(dg.AssetKey("tracked"))
    assert found.data.tags["dagster.run_id"] == event.run_id
    assert found.info.run_id in event.asset_materialization.metadata["mlflow"].url
    assert (found.info.status, found.data.metrics, found.data.params) == ("FINISHED", {"loss": 0.5}, {"size": "tiny"})
    assert found.info.artifact_uri.startswith(store.mlflow.as_uri())


def test_the_password_is_neither_said_nor_written_nor_handed_on(made, instance, server):
    written = b"".join(path.read_bytes() for path in made.root.rglob("*") if path.is_file())
    known = made.said + str([instance.all_logs(run.run_id) for run in instance.get_runs()])
    known += instance.info_str() + repr(instance.get_ref())
    query = "select schemaname, tablename from pg_tables where schemaname in ('dagster', 'mlflow')"
    for schema, table in server.ask(query, made.address):
        known += str(server.ask(f'select * from {schema}."{table}"', made.address))
    for form in (PASSWORD.encode(), encoded_password(made.address)):
        assert form not in known.encode()
        assert form not in written


def test_ticks_of_sensors_and_schedules_are_kept(instance):
    data = TickData("origin", "a_sensor", InstigatorType.SENSOR, TickStatus.STARTED, timestamp=1.0, selector_id="s")
    tick = instance.create_tick(data)
    instance.update_tick(tick.with_status(TickStatus.SKIPPED, skip_reason="nothing new"))
    (found,) = instance.get_ticks("origin", "s")
    assert (found.status, found.skip_reason) == (TickStatus.SKIPPED, "nothing new")


def test_what_is_handed_to_other_processes_opens_the_same_storage(instance):
    with dg.DagsterInstance.from_ref(instance.get_ref()) as other:
        assert [run.run_id for run in other.get_runs()] == [run.run_id for run in instance.get_runs()]


def test_without_the_setting_a_dagster_home_of_before_goes_on_and_no_driver_is_imported(tmp_path):
    code = (
        "import sys, dagster as dg\n"
        "with dg.DagsterInstance.get() as i:\n"
        "    i.add_dynamic_partitions('seen', [sys.argv[1]])\n"
        "    print(i.get_dynamic_partitions('seen'))\n"
        "print([m for m in ('psycopg2', 'dagster_postgres', 'jepa_core') if m in sys.modules])"
    )

    def run(word):
        command = [sys.executable, "-c", code, word]
        environment = {"DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(REPO)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")

    text = (REPO / "dagster_home" / "dagster.yaml").read_text()
    before, found = (
        text.split("storage:")[0] + "concurrency:" + text.split("concurrency:")[1],
        tmp_path / "dagster.yaml",
    )
    found.write_text(before)
    run("before")
    lay = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.db")}
    found.write_text(text)
    assert run("after")[:2] == ["['before', 'after']", "[]"]
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.db")} == lay


def test_a_second_data_root_is_refused(empty, tmp_path):
    context = SimpleNamespace(asset_key=dg.AssetKey("a"), run=SimpleNamespace(run_id="r"))
    with Tracking().run(Store.at(tmp_path / "one"), context, "crjepa", "f", {}):
        pass
    second = Tracking().run(Store.at(tmp_path / "two"), context, "crjepa", "f", {})
    with pytest.raises(JepaError, match="a data root needs a database of its own"), second:
        pass


LAUNCH = """mutation {launchRun(executionParams: {
  selector: {jobName: "__ASSET_JOB", repositoryName: "__repository__", repositoryLocationName: "jepa",
             assetSelection: [{path: ["sentinel1_patches"]}], assetCheckSelection: []},
  runConfigData: {}, mode: "default"}) {__typename ... on PythonError {message}}}"""


@pytest.mark.slow
def test_dagster_dev_its_daemon_a_run_s_process_and_mlflow_s_pages_work_on_it(server, synthetic_archive, tmp_path):
    root, address = new_root(tmp_path / "root"), server.new_database()
    shutil.copy(REPO / "workspace.yaml", root)
    where = {"JEPA_ARCHIVE": str(synthetic_archive), "JEPA_DATA": str(root / "data"), "JEPA_POSTGRES": address}
    with dagster_dev(root, **where) as (port, dev):
        wait_for_locations(port, dev)
        assert graphql(port, LAUNCH)["launchRun"]["__typename"] == "LaunchRunSuccess"
        (tmp_path / "mlflow").mkdir()
        with mlflow_ui(tmp_path / "mlflow", **where) as ui:
            said = b" ".join(command_lines(dev.pid) + command_lines(ui.pid))
        deadline = time.monotonic() + 120
        while server.ask("select status from dagster.runs", address) != [("SUCCESS",)]:
            assert time.monotonic() < deadline, (root / "data" / "server.log").read_text()
            time.sleep(1)
        daemons = {kind for (kind,) in server.ask("select daemon_type from dagster.daemon_heartbeats", address)}
    assert {"SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR"} <= daemons
    assert server.ask("select name from mlflow.experiments", address) == [("Default",)]
    said += b"".join(path.read_bytes() for path in tmp_path.rglob("server.log"))
    assert encoded_password(address) not in said
    assert not list(tmp_path.rglob("*.db"))


def command_lines(pid):
    """Of a process and those that it started: every user of the machine can read them."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return [Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in processes]


def encoded_password(address):
    """The password as the address holds it."""
    return make_url(address).render_as_string(hide_password=False).split(":")[2].split("@")[0].encode()
