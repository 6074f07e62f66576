"""Models that are trained anew, through Dagster's own API: what takes the old one's place, and what does not."""

import dagster as dg
import pytest

from jepa_core import atomic
from jepa_core.catalog import current_model
from jepa_core.evaluation import succession
from jepa_core.evaluation.succession import Verdict
from jepa_core.index.sync import current_index
from jepa_core.store import Store
from pipelines.definitions import defs
from pipelines.resources import Workspace
from pipelines.retraining import drift, drifted
from pipelines.watch import new_acquisitions
from tests.pipelines.chain import CHAIN
from tests.synthetic import write_pairs

JOB = "retrain_crjepa"


def run(instance, job, **how):
    return defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **how)


def models(store):
    """The model that is current, and the one that searches use."""
    return current_model(store, "crjepa").fingerprint, current_index(store, "crjepa").model


@pytest.mark.slow
def test_new_pairs_change_the_model_when_it_is_asked_for_and_passes_the_gate(root, instance):
    store = Store.at(root / "data")
    before = models(store)
    assert before[0] == before[1]
    write_pairs(root / "archive", 24)
    assert run(instance, "reindex_new_acquisitions").success
    assert models(store) == before
    # Which of two models of a few steps is better is chance; the gate is held against real models elsewhere.
    assert run(instance, JOB, run_config={"gate": False}).success
    after = models(store)
    assert after[0] == after[1] != before[0]
    # A third time there is nothing new to train on.
    again = run(instance, JOB)
    assert again.success
    assert models(store) == after


@pytest.mark.slow
def test_a_model_that_falls_behind_is_rejected_and_the_old_one_serves_on(root, instance, monkeypatch):
    store = Store.at(root / "data")
    before = models(store)
    write_pairs(root / "archive", 24)
    assert run(instance, "reindex_new_acquisitions").success
    # What falls behind is decided in tests of its own; here it is what follows from it.
    fallen = Verdict(False, "mAP of S1 → S2 fell from 60 to 20", store.benchmark("crjepa-candidate"))
    monkeypatch.setattr(succession, "judge", lambda *_: fallen)
    done = run(instance, JOB)
    assert not done.success
    (failure,) = [e for e in done.all_events if e.is_step_failure]
    assert "does not take the place" in str(failure.step_failure_data.user_failure_data.description)
    assert "fell from 60 to 20" in str(failure.step_failure_data.user_failure_data.description)
    assert models(store) == before
    # New scenes are still described by the model that serves.
    write_pairs(root / "archive", 27)
    assert run(instance, "reindex_new_acquisitions").success
    assert models(store) == before


def test_drift_launches_a_training_once_a_week(root, instance):
    store = Store.at(root / "data")
    assert drifted(Workspace(), "crjepa") == ""

    def tick():
        with dg.build_sensor_context(instance=instance, definitions=defs) as context:
            return [found for found in drift(context, workspace=Workspace()) if isinstance(found, dg.RunRequest)]

    assert tick() == []
    model = current_model(store, "crjepa").fingerprint
    path = store.descriptors("crjepa", model) / "drift-sentinel2.json"
    atomic.write_json(path, {"trained": [], "new": {"strange scene": {"patches": 100, "strange": 90}}})
    (request,) = tick()
    assert request.job_name == JOB
    assert request.tags["jepa/because"] == "90% of new sentinel2 patches are strange"
    instance.create_run_for_job(defs.resolve_job_def(JOB), tags=request.tags)
    assert tick() == []


def test_the_job_has_all_that_follows_the_model(root, instance):
    names = {key.to_user_string() for key in defs.resolve_job_def(JOB).asset_layer.executable_asset_keys}
    assert names == {"crjepa_model", "crjepa_descriptors", "crjepa_index", "crjepa_benchmark"}
    assert set(CHAIN[3:]) < names
    assert new_acquisitions.job_name != JOB
