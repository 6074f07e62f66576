import os
import subprocess
import sys

import pytest

from pipelines._cli_defaults import arguments_of, needs_module
from tests.conftest import REPO


@pytest.mark.parametrize(
    ("argv", "arguments"),
    [
        (["python", "/env/bin/dagster", "dev"], ["dev"]),
        (["python", "-m", "dagster", "asset", "list"], ["asset", "list"]),
        (["python", "/env/bin/dagster-webserver", "-p", "1"], ["-p", "1"]),
        (["python", "/env/bin/pytest", "dagster"], None),
        (["python", "/home/dagster/app.py"], None),
        (["python"], None),
    ],
)
def test_the_executable_is_told_by_its_name(argv, arguments):
    assert arguments_of("dagster", argv) == arguments


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("asset materialize --select x", True),
        ("asset list", True),
        ("job execute -j x", True),
        ("asset materialize -m other --select x", False),
        ("asset materialize --module-name=other --select x", False),
        ("asset list -f file.py", False),
        ("dev", False),
        ("dev -m pipelines.definitions", False),
        ("definitions validate", False),
        ("", False),
    ],
)
def test_only_commands_that_want_a_pointer_and_have_none_get_one(command, needs):
    assert needs_module(command.split()) is needs


def variables_seen(cwd, script_name, *arguments):
    """What a Python script of that name, started in a folder, finds in its environment."""
    script = cwd / script_name
    script.write_text("import os; print(os.environ.get('DAGSTER_HOME'), os.environ.get('DAGSTER_MODULE_NAME'))")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DAGSTER")}
    run = subprocess.run(
        [sys.executable, script, *arguments], cwd=cwd, env=clean, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return run.stdout.split()


def test_the_start_up_hook_acts_at_a_checkout_s_root_only(tmp_path):
    command = ["asset", "list"]
    assert variables_seen(tmp_path, "dagster", *command) == ["None", "None"]
    (tmp_path / "dagster_home").mkdir()
    (tmp_path / "dagster_home" / "dagster.yaml").write_text("")
    home = str(tmp_path / "dagster_home")
    assert variables_seen(tmp_path, "dagster", *command) == [home, "pipelines.definitions"]
    assert variables_seen(tmp_path, "dagster", "dev") == [home, "None"]
    assert variables_seen(tmp_path, "other", *command) == ["None", "None"]


def test_the_hook_is_one_line_that_sorts_behind_the_editable_install_s():
    text = (REPO / "pipelines" / "jepa_dagster.pth").read_text()
    assert text.count("\n") == 1
    assert "jepa_dagster.pth" > "_editable_impl_jepa_search.pth"
