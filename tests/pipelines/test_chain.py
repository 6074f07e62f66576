"""The chain through Dagster's own API, on a synthetic archive, with training cut to two epochs."""

import json
import os
import shutil
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from jepa_core.catalog import current_model
from jepa_core.index.sync import current_index, open_current
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.stages import read_record, size_of, write_record
from pipelines.bootstrap import stale_upstream
from pipelines.resources import Workspace, tracking_uri
from tests.pipelines.chain import CHAIN, CONFIG, materialize, metadata


def test_every_stage_ran_every_check_passed_and_the_metadata_are_worth_looking_at(base):
    _, _, result = base
    assert result.success
    evaluations = result.get_asset_check_evaluations()
    assert {e.asset_key.to_user_string() for e in evaluations} == set(CHAIN)
    assert all(e.passed for e in evaluations)
    for name in CHAIN:
        assert metadata(result, name)["did_work"].value is True
        assert metadata(result, name)["seconds"].value > 0
    assert metadata(result, "patch_pairs")["pairs"].value == 24
    assert "data:image/png;base64," in metadata(result, "patch_pairs")["some_pairs"].value
    assert "data:image/png;base64," in metadata(result, "crjepa_model")["training"].value


def test_a_second_run_does_nothing_and_data_versions_stand(base):
    workspace, instance, first = base
    second = materialize(workspace, instance, CHAIN, CONFIG)
    for name in CHAIN:
        assert metadata(second, name)["did_work"].value is False
        events = [r.asset_materializations_for_node(name)[0] for r in (first, second)]
        versions = [event.tags["dagster/data_version"] for event in events]
        assert versions[0] == versions[1]


def test_mlflow_holds_the_runs_linked_both_ways_with_curves_and_an_alias(base):
    from mlflow import MlflowClient

    workspace, _, result = base
    client = MlflowClient(tracking_uri(workspace.store()))
    version = client.get_model_version_by_alias("crjepa", "current")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["dagster.run_id"] == result.run_id
    assert run.data.tags["dagster.asset"] == "crjepa_model"
    assert run.data.tags["jepa.model"] == current_model(workspace.store(), "crjepa").fingerprint
    expected = {"variant": "crjepa", "size": "tiny", "recipe.epochs": "2", "model.width": "128"}
    assert expected.items() <= run.data.params.items()
    assert [m.step for m in client.get_metric_history(run.info.run_id, "sigreg")] == [1, 2]
    for monitor in ("effective_rank_same_sentinel1", "std_cross_sentinel2"):
        assert monitor in run.data.metrics
    files = {f.path for f in client.list_artifacts(run.info.run_id)}
    assert files == {"weights.safetensors", "model.json", "history.parquet"}
    assert metadata(result, "crjepa_model")["mlflow_run"].value.endswith(run.info.run_id)


def test_a_comparison_without_benchmarks_is_a_plain_error_with_the_command(workspace):
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["benchmark_comparison"], None, False)
        message = result.failure_data_for_node("benchmark_comparison").user_failure_data.description
    needed = "ijepa_benchmark, mae_benchmark, rejepa_benchmark, xjepa_benchmark, crjepa_benchmark, lejepa_benchmark"
    assert f"needs {needed}, which are not whole" in message
    assert "Run: dagster asset materialize --select '*benchmark_comparison'" in message


def test_a_selected_index_makes_what_is_missing_first_and_keeps_the_settings_of_what_is_stale(workspace):
    store = workspace.store()
    settings_before = json.loads((store.stage_records / "crjepa_model.json").read_text())["config"]
    shutil.rmtree(store.root / "descriptors")
    shutil.rmtree(store.patches(SENTINEL2))
    stale = stale_upstream("crjepa", workspace)
    reasons = {name: why.reason for name, why in stale.items()}
    assert reasons.pop("sentinel2_patches").startswith("has lost patches/sentinel2/")
    assert reasons.pop("crjepa_descriptors").startswith("has lost descriptors/crjepa/")
    assert reasons == {
        "patch_pairs": "is made from something that is missing",
        "crjepa_model": "was made already, and is looked at only",
    }
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
        nested = [run for run in instance.get_runs() if "jepa/bootstrap_for" in run.tags]
        assert len(nested) == 1
    # The patches came out as they were, so that the model stood: two epochs, not the recipe's.
    assert json.loads((store.stage_records / "crjepa_model.json").read_text())["config"] == settings_before
    assert settings_before["epochs"] == 2
    assert stale_upstream("crjepa", workspace) == {}


@pytest.mark.slow
def test_a_lost_model_is_trained_again_with_its_own_settings(workspace):
    store = workspace.store()
    before = current_model(store, "crjepa").fingerprint
    next((store.root / "models").glob("crjepa/*/weights.safetensors")).unlink()
    assert "has lost models/crjepa/" in stale_upstream("crjepa", workspace)["crjepa_model"].reason
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
    assert current_model(store, "crjepa").fingerprint == before


def test_touched_and_copied_files_leave_the_model_and_the_descriptors_standing(workspace):
    store = workspace.store()
    for path in workspace.open_archive().root.rglob("*.tif"):
        os.utime(path, (0, 0))
    made = {p: p.stat().st_mtime_ns for kind in ("models", "descriptors") for p in (store.root / kind).rglob("*.*")}
    assert set(stale_upstream("crjepa", workspace)) >= {"sentinel1_patches", "sentinel2_patches"}
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
    assert {p: p.stat().st_mtime_ns for p in made} == made
    assert stale_upstream("crjepa", workspace) == {}


def test_without_bootstrapping_something_lost_further_up_is_a_plain_error_too(workspace):
    shutil.rmtree(workspace.store().root / "models")
    config = {"ops": {"crjepa_index": {"config": {"bootstrap": False}}}}
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["crjepa_index"], config, raise_on_error=False)
        message = result.failure_data_for_node("crjepa_index").user_failure_data.description
    assert "crjepa_index needs crjepa_model, which is not whole" in message


def test_without_bootstrapping_a_missing_upstream_is_a_plain_error_with_the_command(tmp_path, synthetic_archive):
    workspace = Workspace(archive=str(synthetic_archive), data=str(tmp_path / "empty"))
    config = {"ops": {"crjepa_index": {"config": {"bootstrap": False}}}}
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["crjepa_index"], config, raise_on_error=False)
        assert not result.success
        message = result.failure_data_for_node("crjepa_index").user_failure_data.description
    assert "crjepa_index needs sentinel1_patches, sentinel2_patches, patch_pairs, crjepa_model" in message
    assert "Run: dagster asset materialize --select 'crjepa_index'" in message


def test_a_scene_gone_from_the_archive_is_gone_from_the_index(workspace):
    archive = workspace.open_archive().root
    for i in (0, 1, 2):
        shutil.rmtree(archive / "BigEarthNet-S2" / f"S2A_MSIL2A_20170613T101031_{i}_0")
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
    index = open_current(current_index(workspace.store(), "crjepa"))
    assert index.count(SENTINEL2) == 21
    assert index.count(SENTINEL1) == 24


def test_another_setting_runs_the_stage_and_what_follows_and_nothing_before(workspace):
    config = {"ops": {"patch_pairs": {"config": {"max_days": 1.0}}}}
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, CHAIN[:3], config)
    worked = {name: metadata(result, name)["did_work"].value for name in CHAIN[:3]}
    assert worked == {"sentinel1_patches": False, "sentinel2_patches": False, "patch_pairs": True}


@pytest.mark.parametrize(
    ("stage", "pattern"),
    [
        ("sentinel1_patches", "patches/sentinel1/*/patches.parquet"),
        ("patch_pairs", "pairs/pairs.parquet"),
        pytest.param("crjepa_model", "models/crjepa/*/weights.safetensors", marks=pytest.mark.slow),
        ("crjepa_descriptors", "descriptors/crjepa/*/sentinel2/*.parquet"),
        ("crjepa_index", "indexes/crjepa/*/segments/*/cross.vectors"),
    ],
)
def test_a_result_cut_short_is_made_again(workspace, stage, pattern):
    path = sorted(workspace.store().root.glob(pattern))[0]
    path.write_bytes(path.read_bytes()[:-30])
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, [stage], CONFIG if stage == "crjepa_model" else None)
    assert metadata(result, stage)["did_work"].value is True
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


@pytest.mark.parametrize(
    ("stage", "pattern"),
    [
        ("sentinel1_patches", "patches/sentinel1/*/patches.parquet"),
        ("crjepa_model", "models/crjepa/*/weights.safetensors"),
        ("crjepa_descriptors", "descriptors/crjepa/*/sentinel2/*.parquet"),
        ("crjepa_index", "indexes/crjepa/*/segments/*/same.vectors"),
    ],
)
def test_a_result_that_was_changed_in_place_fails_its_check_and_the_reason_names_the_file(workspace, stage, pattern):
    path = sorted(workspace.store().root.glob(pattern))[0]
    path.write_bytes(bytes(byte ^ 0xFF for byte in path.read_bytes()))
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, [stage], CONFIG if stage == "crjepa_model" else None, False)
    assert not result.success
    (evaluation,) = [e for e in result.get_asset_check_evaluations() if e.check_name.endswith("_whole")]
    assert not evaluation.passed
    assert path.name in evaluation.description or str(path.parent) in evaluation.description
    assert "delete" in evaluation.description


def test_a_file_deleted_as_the_error_says_is_made_again_and_nothing_else(workspace):
    store = workspace.store()
    lost = sorted(store.root.glob("descriptors/crjepa/*/sentinel2/*.parquet"))[0]
    kept = {path: path.stat().st_mtime_ns for path in store.root.glob("descriptors/crjepa/*/*/*.parquet")}
    lost.unlink()
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
    changed = {path for path, time in kept.items() if path.stat().st_mtime_ns != time}
    assert changed == {lost}


def test_another_number_of_processes_is_no_reason_to_describe_again(workspace):
    config = {"ops": {"crjepa_descriptors": {"config": {"processes": 2}}}}
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["crjepa_descriptors"], config)
    assert not metadata(result, "crjepa_descriptors")["did_work"].value


def test_a_pair_of_a_patch_that_is_not_there_fails_the_check(workspace):
    store = workspace.store()
    pairs = pd.read_parquet(store.pairs)
    pairs.loc[0, "patch_b"] = "nowhere"
    pairs.to_parquet(store.pairs)
    # As if the stage had written it so.
    record = read_record(store, "patch_pairs")
    write_record(store, replace(record, outputs={"pairs/pairs.parquet": size_of(store.pairs)}))
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["patch_pairs"], None, False)
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.metadata["unknown_patches"].value == 1


def test_an_archive_under_another_s_data_root_is_refused(base, tmp_path, synthetic_archive):
    other = shutil.copytree(synthetic_archive, tmp_path / "other")
    workspace = Workspace(archive=str(other), data=base[0].data)
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["sentinel1_patches"], None, False)
        assert not result.success
        error = result.failure_data_for_node("sentinel1_patches").user_failure_data.description
    assert "Set JEPA_DATA to a folder of this archive's own" in error


@pytest.mark.slow
def test_what_cannot_be_read_is_shown_and_a_check_fails_when_it_is_too_much(tmp_path, synthetic_archive):
    archive = shutil.copytree(synthetic_archive, tmp_path / "archive")
    (archive / "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWM_20230815T155057.SAFE").mkdir()
    workspace = Workspace(archive=str(archive), data=str(tmp_path / "data"))
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["sentinel2_patches"], None, False)
        # Eight good scenes go on; one of nine is more than the tenth that is allowed.
        assert result.success
        metadata = result.asset_materializations_for_node("sentinel2_patches")[0].metadata
        assert metadata["scenes"].value == 8
        assert metadata["scenes_quarantined"].value == 1
        assert "T33TWM_20230815T155057.SAFE is empty" in metadata["quarantine"].value
        readable = [e for e in result.get_asset_check_evaluations() if e.check_name == "sentinel2_patches_readable"]
        assert [e.passed for e in readable] == [False]
        allow = {"ops": {"sentinel2_patches": {"config": {"max_quarantined": 0.2}}}}
        result = materialize(workspace, instance, ["sentinel2_patches"], allow, False)
        readable = [e for e in result.get_asset_check_evaluations() if e.check_name == "sentinel2_patches_readable"]
        assert [e.passed for e in readable] == [True]
        assert not result.asset_materializations_for_node("sentinel2_patches")[0].metadata["did_work"].value


@pytest.mark.slow
def test_two_grids_are_named_as_the_reason_that_nothing_pairs(tmp_path):
    from datetime import UTC, datetime

    from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
    from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
    from jepa_core.testing.world import World

    place = {
        "epsg": 32633,
        "left": 399_600,
        "top": 5_400_000,
        "size_m": 2400,
        "time": datetime(2023, 8, 15, tzinfo=UTC),
    }
    write_sentinel1_rtc(tmp_path / "archive", World(0), **place)
    write_sentinel2_stac(tmp_path / "archive", World(0), tile="33UVP", **place)
    workspace = Workspace(archive=str(tmp_path / "archive"), data=str(tmp_path / "data"))
    config = {"ops": {"sentinel2_patches": {"config": {"patch_pixels": 60, "stride_pixels": 30}}}}
    stages = ["sentinel1_patches", "sentinel2_patches", "patch_pairs"]
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, stages, config, False)
        assert "set both alike" in result.failure_data_for_node("patch_pairs").user_failure_data.description
        config["ops"]["sentinel1_patches"] = config["ops"]["sentinel2_patches"]
        result = materialize(workspace, instance, stages, config, False)
        # Corners of cells lie on multiples of 300 m: 2,400 m hold those at 0 to 1,800 m whole, and one over each rim.
        assert result.asset_materializations_for_node("patch_pairs")[0].metadata["pairs"].value >= 49
