"""Stages through Dagster's own API, with the data root in object storage."""

import shutil

import dagster as dg
import pytest

from jepa_core.settings import Settings
from jepa_core.stages import read_record
from jepa_core.store import Store
from pipelines import faults
from pipelines.resources import Workspace
from tests.jepa_core.remote.conftest import address, server
from tests.pipelines.chain import CHAIN, materialize, metadata

__all__ = ["address", "server"]

PATCHES = CHAIN[:3]


@pytest.mark.slow
def test_a_fresh_machine_goes_on_where_another_ended(
    address, server, synthetic_archive, tmp_path, tmp_path_factory, monkeypatch
):
    archive = shutil.copytree(synthetic_archive, tmp_path / "archive")
    workspace = Workspace(archive=str(archive), data=address)
    instance = dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance")))
    assert materialize(workspace, instance, PATCHES).success
    sent = len(server.objects_written())
    assert sent > 0

    # Another machine, to which nothing but archive and address are known: no scene is cut again.
    monkeypatch.setenv("JEPA_CACHE", str(tmp_path / "another machine"))
    fresh = dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("another")))
    result = materialize(workspace, fresh, PATCHES)
    assert result.success
    for name in PATCHES:
        assert metadata(result, name)["did_work"].value is False
    assert len(server.objects_written()) == sent
    store = Store.at(workspace.settings().data_folder)
    assert store.root.is_relative_to(tmp_path / "another machine")

    # A scene goes: what is left is cut, and paired anew, with pixels that never came here left where they are.
    scenes = sorted((archive / "BigEarthNet-S2").iterdir())
    for folder in scenes[:3]:
        shutil.rmtree(folder)
    result = materialize(workspace, fresh, PATCHES)
    assert result.success
    assert metadata(result, "sentinel2_patches")["did_work"].value is True
    monkeypatch.setenv("JEPA_CACHE", str(tmp_path / "a third machine"))
    third = workspace.store("patch_pairs")
    records = [read_record(of, "patch_pairs") for of in (third, store)]
    assert records[0] == records[1]
    assert third.root != store.root


def test_a_server_that_is_down_fails_the_step_with_one_line(address, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    # What may pass is tried again after a minute in all, and by the client after ten seconds each time.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(faults, "FIRST_WAIT_S", 0.01)
    instance = dg.DagsterInstance.local_temp(str(tmp_path))
    result = materialize(Workspace(data=address), instance, ["patch_pairs"], raise_on_error=False)
    (failure,) = result.get_step_failure_events()[:1]
    assert "the server does not answer" in failure.step_failure_data.error.message


def test_an_address_survives_the_settings(monkeypatch):
    monkeypatch.setenv("JEPA_DATA", "s3://bucket/prefix")
    assert Settings().data == "s3://bucket/prefix"
    assert Workspace().settings().data == "s3://bucket/prefix"
    assert Workspace(data="s3://other/prefix").settings().data_folder != Settings().data_folder
    assert Workspace(data="folder").settings().data_folder.name == "folder"
