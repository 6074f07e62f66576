"""The chain through Dagster's own API, on a synthetic archive, with training cut to two epochs."""

import json
import shutil

import dagster as dg
import pandas as pd
import pytest

from jepa_core.catalog import current_index, current_model
from jepa_core.index import open_index
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
from pipelines.bootstrap import stale_upstream
from pipelines.definitions import ASSETS, CHECKS
from pipelines.resources import Tracking, Workspace, tracking_uri

CONFIG = {"ops": {"crjepa_model": {"config": {"epochs": 2}}}}
CHAIN = [
    "sentinel1_patches",
    "sentinel2_patches",
    "patch_pairs",
    "crjepa_model",
    "crjepa_descriptors",
    "crjepa_index",
    "crjepa_benchmark",
]


def materialize(workspace, instance, names, config=None, raise_on_error=True):
    return dg.materialize(
        [*ASSETS, *CHECKS],
        selection=dg.AssetSelection.assets(*names),
        instance=instance,
        resources={"workspace": workspace, "tracking": Tracking()},
        run_config=config if config is not None else {},
        raise_on_error=raise_on_error,
    )


def metadata(result, name):
    (event,) = result.asset_materializations_for_node(name)
    return event.metadata


@pytest.fixture(scope="module")
def base(synthetic_archive, tmp_path_factory):
    """Archive, data root and instance after one whole run."""
    root = tmp_path_factory.mktemp("chain")
    archive = shutil.copytree(synthetic_archive, root / "archive")
    workspace = Workspace(archive=str(archive), data=str(root / "data"))
    instance = dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance")))
    result = materialize(workspace, instance, CHAIN, CONFIG)
    return workspace, instance, result


@pytest.fixture
def workspace(base, tmp_path):
    """A copy of the finished archive and data root, to be changed."""
    source = Store.at(base[0].settings().data).root.parent
    copy = shutil.copytree(source, tmp_path / "copy")
    marker = copy / "data" / "root.json"
    marker.write_text(json.dumps({"archive": str(copy / "archive")}))
    return Workspace(archive=str(copy / "archive"), data=str(copy / "data"))


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
    assert "| S1 → S2 | removed |" in metadata(result, "crjepa_benchmark")["results"].value


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
    assert run.data.params == {"variant": "crjepa", "size": "tiny", "seed": "0", "epochs": "2"}
    assert [m.step for m in client.get_metric_history(run.info.run_id, "sigreg")] == [1, 2]
    for monitor in ("effective_rank_same_sentinel1", "std_cross_sentinel2"):
        assert monitor in run.data.metrics
    files = {f.path for f in client.list_artifacts(run.info.run_id)}
    assert files == {"weights.safetensors", "model.json", "history.parquet"}
    assert metadata(result, "crjepa_model")["mlflow_run"].value.endswith(run.info.run_id)
    (benchmark,) = client.search_runs([client.get_experiment_by_name("benchmarks").experiment_id])
    assert "f1_at_5/s1_to_s2/removed" in benchmark.data.metrics


def test_a_selected_index_makes_what_is_missing_first_and_keeps_the_settings_of_what_is_stale(workspace):
    store = workspace.store()
    settings_before = json.loads((store.stage_records / "crjepa_model.json").read_text())["config"]
    shutil.rmtree(store.root / "descriptors")
    shutil.rmtree(store.patches(SENTINEL2))
    stale = stale_upstream("crjepa", workspace)
    assert stale == {
        "sentinel2_patches": "was never made",
        "patch_pairs": "is made from something that is missing",
        "crjepa_model": "comes after patch_pairs",
        "crjepa_descriptors": "was never made",
    }
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
        nested = [run for run in instance.get_runs() if "jepa/bootstrap_for" in run.tags]
        assert len(nested) == 1
    # The patches came out as they were, so that the model stood: two epochs, not the recipe's.
    assert json.loads((store.stage_records / "crjepa_model.json").read_text())["config"] == settings_before
    assert settings_before["epochs"] == 2
    assert stale_upstream("crjepa", workspace) == {}


def test_without_bootstrapping_a_missing_upstream_is_a_plain_error_with_the_command(tmp_path, synthetic_archive):
    workspace = Workspace(archive=str(synthetic_archive), data=str(tmp_path / "empty"))
    config = {"ops": {"crjepa_index": {"config": {"bootstrap": False}}}}
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, ["crjepa_index"], config, raise_on_error=False)
        assert not result.success
        message = result.failure_data_for_node("crjepa_index").user_failure_data.description
    assert "crjepa_index needs crjepa_descriptors" in message
    assert "dagster asset materialize --select '*crjepa_index'" in message


def test_a_scene_gone_from_the_archive_is_gone_from_the_index(workspace):
    archive = workspace.open_archive().root
    for i in (0, 1, 2):
        shutil.rmtree(archive / "BigEarthNet-S2" / f"S2A_MSIL2A_20170613T101031_{i}_0")
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
    index = open_index(current_index(workspace.store(), "crjepa"))
    assert index.flat["same", "sentinel2"].ntotal == 21
    assert index.flat["same", "sentinel1"].ntotal == 24


def test_another_setting_runs_the_stage_and_what_follows_and_nothing_before(workspace):
    config = {"ops": {"patch_pairs": {"config": {"max_days": 1.0}}}}
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, CHAIN[:3], config)
    worked = {name: metadata(result, name)["did_work"].value for name in CHAIN[:3]}
    assert worked == {"sentinel1_patches": False, "sentinel2_patches": False, "patch_pairs": True}


@pytest.mark.parametrize(
    ("stage", "harm"),
    [
        ("sentinel1_patches", lambda store: spoil(store.root, "patches/sentinel1/*/patches.parquet")),
        ("patch_pairs", lambda store: spoil(store.root, "pairs/pairs.parquet")),
        ("crjepa_model", lambda store: spoil(store.root, "models/crjepa/*/weights.safetensors")),
        ("crjepa_descriptors", lambda store: spoil(store.root, "descriptors/crjepa/*/sentinel2/*.parquet")),
        ("crjepa_index", lambda store: spoil(store.root, "indexes/crjepa/*/cross-sentinel1.faiss")),
        ("crjepa_benchmark", lambda store: spoil(store.root, "benchmarks/crjepa/report.json")),
    ],
)
def test_a_harmed_result_fails_its_check_with_a_plain_reason(workspace, stage, harm):
    harm(workspace.store())
    with dg.instance_for_test() as instance:
        result = materialize(workspace, instance, [stage], CONFIG if stage == "crjepa_model" else None, False)
    assert not result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert len(evaluation.description) > 20


def spoil(root, pattern):
    path = sorted(root.glob(pattern))[0]
    path.write_bytes(path.read_bytes()[:-30])


def test_a_file_deleted_as_the_error_says_is_made_again_and_nothing_else(workspace):
    store = workspace.store()
    lost = sorted(store.root.glob("descriptors/crjepa/*/sentinel2/*.parquet"))[0]
    kept = {path: path.stat().st_mtime_ns for path in store.root.glob("descriptors/crjepa/*/*/*.parquet")}
    lost.unlink()
    with dg.instance_for_test() as instance:
        assert materialize(workspace, instance, ["crjepa_index"]).success
    changed = {path for path, time in kept.items() if path.stat().st_mtime_ns != time}
    assert changed == {lost}


def test_a_pair_of_a_patch_that_is_not_there_fails_the_check(workspace):
    store = workspace.store()
    pairs = pd.read_parquet(store.pairs)
    pairs.loc[0, "patch_b"] = "nowhere"
    pairs.to_parquet(store.pairs)
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
        error = result.failure_data_for_node("sentinel1_patches").error.cause.message
    assert "Set JEPA_DATA to a folder of this archive's own" in error
