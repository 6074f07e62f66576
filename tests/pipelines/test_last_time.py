from dataclasses import replace

from jepa_core.stages import StageRecord, write_record
from jepa_core.store import Store
from pipelines.assets.ingest import PatchSettings
from pipelines.last_time import last_settings
from pipelines.reindex import reindex_stages
from pipelines.retraining import RETRAINING

RECORD = StageRecord("sentinel1_patches", "f", "v", {"patch_pixels": 64, "of_an_older_version": 3}, {}, {}, {}, 1.0)


def test_settings_of_a_stage_are_those_of_its_record_but_for_fields_that_it_no_longer_has(tmp_path):
    store = Store.at(tmp_path)
    assert last_settings(store, "sentinel1_patches") == {}
    write_record(store, RECORD)
    assert last_settings(store, "sentinel1_patches") == {"patch_pixels": 64}
    assert PatchSettings(**last_settings(store, "sentinel1_patches")).patch_pixels == 64


def test_every_stage_of_the_job_takes_its_settings(tmp_path):
    store = Store.at(tmp_path)
    for stage in reindex_stages():
        write_record(store, replace(RECORD, stage=stage.name, config={"no_such_field": 1}))
        assert last_settings(store, stage.name) == {}
    assert len(RETRAINING) == 6
