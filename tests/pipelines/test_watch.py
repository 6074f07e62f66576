"""What the sensor and the schedule launch, and what the job makes of it; through Dagster's own API."""

import shutil
import time

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from jepa_core.index.sync import current_index, open_current
from jepa_core.sensors import SENTINEL1
from jepa_core.stages import read_record
from jepa_core.store import Store
from pipelines import watch
from pipelines.definitions import defs
from pipelines.reindex import REINDEX
from pipelines.resources import Workspace
from pipelines.watch import new_acquisitions, nightly
from tests.pipelines.chain import CHAIN
from tests.synthetic import write_pairs


def tick(instance):
    """What the sensor asks for: a run, or the reason why not."""
    with dg.build_sensor_context(instance=instance, definitions=defs, resources={"workspace": Workspace()}) as context:
        found = new_acquisitions(context)
    return found if isinstance(found, dg.RunRequest) else found.skip_message


def launch(instance, request, raise_on_error=True):
    return defs.resolve_job_def(REINDEX).execute_in_process(
        instance=instance,
        asset_selection=request.asset_selection,
        tags=request.tags,
        raise_on_error=raise_on_error,
    )


def settle(root, instance):
    """Takes in what the copying of the fixture touched."""
    request = tick(instance)
    if isinstance(request, dg.RunRequest):
        launch(instance, request)


def did_work(result):
    return {
        event.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
        if event.materialization.metadata["did_work"].value
    }


def test_a_new_scene_is_taken_in_once_and_then_there_is_nothing_to_do(root, instance):
    settle(root, instance)
    assert tick(instance) == "nothing new in the archive, and nothing stale"
    model = read_record(Store.at(root / "data"), "crjepa_model")
    write_pairs(root / "archive", 20)
    request = tick(instance)
    assert [key.to_user_string() for key in request.asset_selection] == CHAIN
    assert request.run_key is None
    assert request.tags["jepa/trigger"] == "sensor"
    assert request.tags["jepa/sentinel1"].endswith("-0")
    result = launch(instance, request)
    assert did_work(result) >= {"sentinel1_patches", "patch_pairs", "crjepa_descriptors", "crjepa_index"}
    assert "crjepa_model" not in did_work(result)
    assert read_record(Store.at(root / "data"), "crjepa_model") == model
    assert open_current(current_index(Store.at(root / "data"), "crjepa")).count(SENTINEL1) == 20
    # The other trigger, at the same moment.
    assert tick(instance) == "nothing new in the archive, and nothing stale"
    assert did_work(launch(instance, request)) == set()


@pytest.mark.slow
def test_nothing_is_stale_in_dagster_s_eyes_after_a_run(root, instance):
    write_pairs(root / "archive", 20)
    launch(instance, tick(instance))
    resolver = CachingStaleStatusResolver(instance, defs.resolve_asset_graph(), LoadingContextForTest(instance))
    assert {name: resolver.get_status(dg.AssetKey(name)) for name in CHAIN} == dict.fromkeys(CHAIN, StaleStatus.FRESH)


@pytest.mark.slow
def test_the_job_without_any_selection_leaves_out_what_has_no_model(root, instance):
    write_pairs(root / "archive", 20)
    result = defs.resolve_job_def(REINDEX).execute_in_process(instance=instance)
    assert {e.asset_key.to_user_string() for e in result.get_asset_materialization_events()} == set(CHAIN)


@pytest.mark.slow
def test_without_any_model_new_scenes_are_cut_and_paired(tmp_path, monkeypatch, instance):
    (tmp_path / "archive").mkdir()
    write_pairs(tmp_path / "archive", 12)
    monkeypatch.setenv("JEPA_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("JEPA_DATA", str(tmp_path / "data"))
    request = tick(instance)
    assert [key.to_user_string() for key in request.asset_selection] == CHAIN[:3]
    launch(instance, request)
    assert tick(instance) == "nothing new in the archive, and nothing stale"


@pytest.mark.slow
def test_settings_of_last_time_are_kept(root, instance):
    settle(root, instance)
    store = Store.at(root / "data")
    before = read_record(store, "sentinel1_patches")
    write_pairs(root / "archive", 20)
    launch(instance, tick(instance))
    assert read_record(store, "sentinel1_patches").config == before.config
    assert "at_most" not in before.config


def test_while_a_run_is_under_way_none_is_launched(root, instance):
    write_pairs(root / "archive", 20)
    assert isinstance(tick(instance), dg.RunRequest)
    run = instance.create_run_for_job(defs.resolve_job_def(REINDEX))
    assert "under way" in tick(instance)
    instance.report_run_canceled(run)
    assert isinstance(tick(instance), dg.RunRequest)


@pytest.mark.slow
def test_what_failed_is_tried_again_later_and_later_and_something_new_at_once(root, instance, monkeypatch):
    settle(root, instance)
    write_pairs(root / "archive", 20)
    request = tick(instance)
    pauses = []
    for _ in range(3):
        run = instance.create_run_for_job(defs.resolve_job_def(REINDEX), tags=request.tags)
        instance.report_run_failed(run)
        message = tick(instance)
        assert "still to be done" in message
        pauses.append(float(message.rpartition(" in ")[2].split()[0]))
    first = watch.FIRST_PAUSE_S
    assert pauses == pytest.approx([first, 2 * first, 4 * first], abs=5)
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda now=time.time: now() + pauses[-1] + 1)
        assert isinstance(tick(instance), dg.RunRequest)
    write_pairs(root / "archive", 24)
    assert isinstance(tick(instance), dg.RunRequest)


def test_what_a_killed_run_left_undone_is_reason_enough(root, instance):
    settle(root, instance)
    shutil.rmtree(root / "data" / "indexes")
    (root / "data" / "stages" / "crjepa_index.json").unlink()
    assert tick(instance).tags["jepa/because"] == "crjepa_index was never made"


@pytest.mark.slow
def test_what_was_lost_is_found_at_night(root, instance):
    settle(root, instance)
    shutil.rmtree(root / "data" / "indexes")
    assert tick(instance) == "nothing new in the archive, and nothing stale"
    with dg.build_schedule_context(instance=instance, resources={"workspace": Workspace()}) as context:
        request = nightly(context)
        assert request.tags["jepa/trigger"] == "schedule"
        launch(instance, request)
        assert nightly(context).skip_message == "nothing new in the archive, and nothing stale"
