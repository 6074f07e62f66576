"""What cannot be reached, through Dagster: one run when it is due, and one at once where a person asks for it."""

import json
from datetime import datetime, timedelta
from functools import partial

import dagster as dg
import pytest

from jepa_core import extraction, tables
from jepa_core.archive import stac_watch
from jepa_core.patch_store import read_quarantine
from jepa_core.sensors import SENTINEL1
from jepa_core.staleness import why_stale
from pipelines.assets.ingest import sentinel1_patches
from pipelines.chain import SENTINEL1_PATCHES
from pipelines.resources import Workspace
from pipelines.stage import listed_version
from tests.http_server import serving
from tests.jepa_core.faults.scenes import BAD, GOOD, change_item, s1_rtc


def stale(workspace):
    return why_stale(SENTINEL1_PATCHES, workspace.store(), partial(listed_version, workspace))


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Two items of an API, the rasters of one of which fail; the workspace of an archive that names the API."""
    monkeypatch.setitem(extraction._GDAL, "GDAL_HTTP_MAX_RETRY", 0)
    monkeypatch.setattr(stac_watch, "FRESH", timedelta(0))
    monkeypatch.setattr(stac_watch, "LEFT_ALONE", timedelta(0))
    away, archive = tmp_path / "away", tmp_path / "archive"
    paths = [s1_rtc(away, time) for time in (GOOD, BAD)]
    archive.mkdir()
    with serving(away) as server:
        items = []
        for path in paths:
            address = f"{server.address}/{path.parent.name}/"
            change_item(path, lambda i, a=address: [x.update(href=a + x["href"]) for x in i["assets"].values()])
            items.append(json.loads(path.read_text()) | {"links": []})
        server.set(items=items, failing=f"{paths[1].parent.name}.*tiff$")
        (archive / "stac.json").write_text(json.dumps([{"api": f"{server.address}/api"}]))
        yield server, Workspace(archive=str(archive), data=str(tmp_path / "data"))


def materialize(workspace, **config):
    result = dg.materialize(
        [sentinel1_patches],
        resources={"workspace": workspace},
        run_config={"ops": {"sentinel1_patches": {"config": config}}},
    )
    (event,) = result.asset_materializations_for_node("sentinel1_patches")
    return event.metadata


def test_a_scene_out_of_reach_makes_one_run_when_it_is_due_or_asked_for(served):
    server, workspace = served
    first = materialize(workspace)
    assert (first["did_work"].value, first["scenes"].value, first["scenes_waiting"].value) == (True, 1, 1)
    assert f"tried once in vain, next attempt after {first['next_attempt'].value}" in first["quarantine"].value
    assert datetime.fromisoformat(first["next_attempt"].value.removesuffix(" UTC"))
    for _ in range(2):
        assert stale(workspace) is None
        assert materialize(workspace)["did_work"].value is False
    _let_it_be_due(workspace)
    assert "older" in stale(workspace).reason
    second = materialize(workspace)
    assert second["did_work"].value is True
    assert "tried 2 times in vain" in second["quarantine"].value
    assert stale(workspace) is None
    server.set(failing="(?!)")
    assert materialize(workspace)["did_work"].value is False
    third = materialize(workspace, retry_now=True)
    assert (third["did_work"].value, third["scenes"].value, third["next_attempt"].value) == (True, 2, "")
    assert "quarantine" not in third
    # That all is well, and that it was asked for, makes no second run.
    assert materialize(workspace)["did_work"].value is False


def _let_it_be_due(workspace):
    path = workspace.store().patches(SENTINEL1) / "sources.parquet"
    sources = tables.read_table(path, tables.SOURCES)
    sources["next_attempt"] -= timedelta(hours=1)
    tables.write_table(sources, tables.SOURCES, path)


def test_an_api_that_is_down_is_in_the_quarantine_with_its_next_attempt_and_takes_nothing_away(served):
    server, workspace = served
    server.set(failing="(?!)")
    assert materialize(workspace)["scenes"].value == 2
    server.set(failing="/api")
    down = materialize(workspace)
    assert (down["scenes"].value, down["scenes_new"].value, down["scenes_waiting"].value) == (2, 0, 1)
    (fault,) = read_quarantine(workspace.store(), SENTINEL1).itertuples()
    assert fault.place == f"{server.address}/api"
    assert "/api cannot be listed: APIError" in fault.reason
    assert "(tried once in vain, next attempt after 2" in fault.reason
    # It stays down: no run until then.
    assert stale(workspace) is None
    server.set(failing="(?!)")
    well = materialize(workspace)
    assert (well["scenes"].value, well["scenes_new"].value, well["scenes_quarantined"].value) == (2, 0, 0)
    assert stale(workspace) is None
