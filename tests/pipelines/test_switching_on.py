import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance

from tests.conftest import REPO


@pytest.mark.parametrize(("kind", "name"), [("sensor", "new_acquisitions"), ("schedule", "nightly")])
def test_what_readme_switches_on_is_what_the_daemon_of_a_checkout_runs(tmp_path, monkeypatch, kind, name):
    command = f"dagster {kind} start {name}"
    assert f"\n{command} " in (REPO / "README.md").read_text(encoding="utf-8")
    shutil.copy(REPO / "dagster_home" / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("JEPA_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(REPO)
    subprocess.run([Path(sys.executable).parent / "dagster", *command.split()[1:]], check=True, timeout=120)
    with DagsterInstance.get() as instance:
        (state,) = [one for one in instance.all_instigator_state() if one.is_running]
    origin = state.origin.repository_origin.code_location_origin
    # What is started under another location's name is never looked at: `dagster dev` loads this one.
    assert (state.name, origin.location_name) == (name, "jepa")
