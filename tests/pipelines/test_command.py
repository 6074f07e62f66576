"""The commands that users type, by the real executables, in a copy of the checkout with nothing exported."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from jepa_core.stages import read_record
from jepa_core.store import Store
from tests.conftest import REPO
from tests.pipelines.listening import beyond_this_machine

DAGSTER = Path(sys.executable).parent / "dagster"
COMMAND = ["asset", "materialize", "--select", "crjepa_index"]


def commit(checkout: Path) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["add", "-A"], [*who, "commit", "-qm", "t"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)


def copy_checkout(target: Path, wheels: Path) -> Path:
    """What a fresh clone holds, plus the sample's wheels, so that each test does not fetch them again."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPO,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (REPO / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, target / name)
    subprocess.run(["git", "init", "-q"], cwd=target, check=True)
    commit(target)
    (target / "data").mkdir()
    (target / "data" / "downloads").symlink_to(wheels)
    return target


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment of a shell in which nothing of ours was exported."""
    ours = ("JEPA_", "DAGSTER_", "MLFLOW_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | changes


def dagster(checkout: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DAGSTER, *arguments],
        cwd=checkout,
        env=clean_environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def train_less(checkout: Path) -> None:
    """Cuts the tiny recipe's 300 epochs to three, without a warm-up."""
    path = checkout / "jepa_core" / "training" / "config.py"
    text, found = re.subn(r"\bepochs=300\b", "epochs=3", path.read_text())
    text, warmups = re.subn(r"\bwarmup_epochs=30\b", "warmup_epochs=0", text)
    assert (found, warmups) == (1, 1)
    path.write_text(text)
    commit(checkout)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, wheels):
    clone = copy_checkout(tmp_path_factory.mktemp("clone"), wheels)
    train_less(clone)
    return clone


@pytest.fixture(scope="module")
def first(checkout):
    """The exact command on a fresh clone, but for the number of epochs; the slow test takes none away."""
    return dagster(checkout, *COMMAND)


def made_all_and_said_so(done, checkout, steps):
    assert done.returncode == 0, done.stdout
    assert "materializes first what is missing or stale, in about" in done.stdout
    for name in ("sentinel1_patches", "sentinel2_patches", "patch_pairs", "crjepa_model", "crjepa_descriptors"):
        assert f"{name}, which was never made" in done.stdout
    assert "Training:" in done.stdout
    assert "Community Data License Agreement" in done.stdout
    assert "superseded" not in done.stdout
    assert list((checkout / "data" / "indexes" / "crjepa").iterdir())
    assert read_record(Store.at(checkout / "data"), "crjepa_model").summary["steps"] == steps


def unignored(checkout):
    status = subprocess.run(["git", "status", "--porcelain"], cwd=checkout, capture_output=True, text=True, check=True)
    return status.stdout


def is_current(done):
    assert done.returncode == 0, done.stdout
    assert "crjepa_index is current: nothing to do" in done.stdout
    assert "materializes first" not in done.stdout
    assert " took " not in done.stdout


def test_on_a_fresh_clone_it_makes_what_is_missing_and_says_what_and_how_long(first, checkout):
    made_all_and_said_so(first, checkout, steps=3)


def test_all_that_is_produced_lies_under_ignored_folders(first, checkout):
    assert unignored(checkout) == ""


@pytest.mark.parametrize(
    "arguments",
    [
        COMMAND,
        pytest.param(["asset", "materialize", "--select", "*crjepa_index"], marks=pytest.mark.slow),
        pytest.param(
            ["asset", "materialize", "-m", "pipelines.definitions", "--select", "crjepa_index"], marks=pytest.mark.slow
        ),
    ],
)
def test_a_second_time_everything_is_current_and_it_says_so(first, checkout, arguments):
    is_current(dagster(checkout, *arguments))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_on_a_fresh_clone_the_exact_command_trains_the_whole_recipe_and_is_current_afterwards(tmp_path, wheels):
    checkout = copy_checkout(tmp_path / "clone", wheels)
    made_all_and_said_so(dagster(checkout, *COMMAND), checkout, steps=300)
    assert unignored(checkout) == ""
    is_current(dagster(checkout, *COMMAND))


def test_without_bootstrapping_a_missing_upstream_is_a_plain_error(checkout, tmp_path):
    config = json.dumps({"ops": {"crjepa_index": {"config": {"bootstrap": False}}}})
    done = dagster(checkout, *COMMAND, "--config-json", config, JEPA_DATA=str(tmp_path))
    assert done.returncode != 0
    assert "crjepa_index needs sentinel1_patches, sentinel2_patches, patch_pairs" in done.stdout
    assert "Run: dagster asset materialize --select 'crjepa_index'" in done.stdout


def test_asset_list_needs_no_option_either(checkout):
    assert "crjepa_index" in dagster(checkout, "asset", "list").stdout.split()


@pytest.mark.slow
def test_dagster_dev_comes_up_with_the_same_code_location_from_either_file(tmp_path, wheels):
    # Both at once: each waits most of its time for one process after the other.
    with contextlib.ExitStack() as stack:
        servers = {}
        for source in ("pyproject.toml", "workspace.yaml"):
            checkout = copy_checkout(tmp_path / source, wheels)
            if source == "workspace.yaml":
                # With a block in pyproject, dagster does not look at workspace.yaml.
                (checkout / "pyproject.toml").unlink()
            servers[source] = stack.enter_context(dagster_dev(checkout))
        for source, (port, server) in servers.items():
            entries = wait_for_locations(port, server)
            assert [(e["name"], e["loadStatus"]) for e in entries] == [("jepa", "LOADED")], source
            assert entries[0]["locationOrLoadError"]["__typename"] == "RepositoryLocation", source
            assert not beyond_this_machine(server.pid), source


@pytest.mark.slow
def test_mlflow_s_pages_are_served_to_this_machine_alone(tmp_path):
    with mlflow_ui(tmp_path, JEPA_DATA=str(tmp_path)) as server:
        assert not beyond_this_machine(server.pid)


@contextlib.contextmanager
def mlflow_ui(folder, **changes):
    """The process of MLflow's server, once it answers."""
    with serving(folder, [sys.executable, "-m", "pipelines.mlflow_ui"], **changes) as (port, server):
        deadline = time.monotonic() + 300
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None, (folder / "data" / "server.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield server


def answers(address):
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
        return answer.status == 200
    return False


def dagster_dev(checkout, **changes):
    """The port and the process of Dagster's server."""
    return serving(checkout, [DAGSTER, "dev"], **changes)


@contextlib.contextmanager
def serving(folder, command, **changes):
    """The port and the process of a server that is started in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "data").mkdir(exist_ok=True)
    with (folder / "data" / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=clean_environment(**changes),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield port, server
        finally:
            end(server)


def end(server):
    """Ends the server with all its children, which do not heed SIGINT where the tests run in the background."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)


def wait_for_locations(port, server):
    query = "{workspaceOrError {... on Workspace {locationEntries {name loadStatus locationOrLoadError {__typename}}}}}"
    for _ in range(180):
        assert server.poll() is None, "dagster dev ended by itself"
        try:
            entries = graphql(port, query)["workspaceOrError"]["locationEntries"]
            if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
                return entries
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("dagster dev did not come up in 90 s")


def graphql(port, query):
    """What Dagster's pages are answered."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]
