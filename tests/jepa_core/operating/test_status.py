import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from jepa_core import atomic
from jepa_core.cli import app
from jepa_core.locks import held
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.stages import read_record, write_record


def status(*arguments):
    result = CliRunner().invoke(app, ["status", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def figures():
    return json.loads(status("--json"))


def bytes_under(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_figures_are_those_counted_by_other_means(root, trained, synthetic_archive):
    found = figures()
    for sensor in (SENTINEL1, SENTINEL2):
        tables = list((root.root / "patches" / sensor.name).glob("*/patches.parquet"))
        of = found["sensors"][sensor.name]
        assert of["scenes"] == len(tables) == 8
        assert of["patches"] == sum(len(pd.read_parquet(path)) for path in tables) == 24
        assert of["listed"] == {"places": 8, "new": 0, "changed": 0, "gone": 0, "waiting": 0}
        assert (of["quarantined"], of["waiting"], of["reasons"]) == (0, 0, [])
    pairs = pd.read_parquet(root.pairs)
    assert found["pairs"] == {"pairs": len(pairs), "training": int((pairs["split"] == "train").sum())}
    variant = found["variants"]["crjepa"]
    assert list(found["variants"]) == ["crjepa"]
    assert variant["model"]["fingerprint"] == trained.fingerprint
    assert variant["model"]["training_pairs"] == found["pairs"]["training"]
    assert (variant["described"], variant["to_describe"]) == (16, 16)
    assert variant["index"]["patches"] == {"sentinel1": 24, "sentinel2": 24}
    assert variant["index"]["searched"] == {"sentinel1": "exact", "sentinel2": "exact"}
    assert (variant["index"]["current"], variant["index"]["shards"], variant["index"]["segments"]) == (True, 1, 2)
    assert variant["report"] is None
    assert found["stale"] == {}
    assert (found["at_work"], found["problems"]) == ({}, [])
    parts = found["disk"]["parts"]
    assert parts["patches"] == bytes_under(root.root / "patches")
    assert parts["models"] == bytes_under(root.root / "models")
    assert sum(parts.values()) == bytes_under(root.root)
    assert found["disk"]["prunable"] == {}


def test_it_writes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.root.rglob("*")}
    status()
    assert {path: path.stat().st_mtime_ns for path in root.root.rglob("*")} == before


def test_what_is_new_changed_and_gone_in_the_archive_is_counted_and_the_stages_after_it_are_stale(
    root, synthetic_archive, tmp_path, monkeypatch
):
    archive = shutil.copytree(synthetic_archive, tmp_path / "archive", copy_function=shutil.copy2)
    monkeypatch.setenv("JEPA_ARCHIVE", str(archive))
    atomic.write_json(root.root / "root.json", {"archive": str(archive)})
    table = root.patches(SENTINEL1) / "sources.parquet"
    places = pd.read_parquet(table)
    listed = figures()["sensors"]["sentinel1"]["listed"]
    assert listed == {"places": 8, "new": 0, "changed": 0, "gone": 0, "waiting": 0}
    scenes = sorted({path.name.rsplit("_", 2)[0] for path in (archive / "BigEarthNet-S1").iterdir()})
    for folder in (archive / "BigEarthNet-S1").glob(f"{scenes[0]}_*"):
        shutil.rmtree(folder)
    touched = next((archive / "BigEarthNet-S1").glob(f"{scenes[1]}_*/*.tif"))
    os.utime(touched, (1, 1))
    # As if the last extraction had not known of it.
    places[[scenes[2] not in place for place in places["place"]]].to_parquet(table, index=False)
    found = figures()
    assert found["sensors"]["sentinel1"]["listed"] == {"places": 7, "new": 1, "changed": 1, "gone": 1, "waiting": 0}
    assert found["stale"] == {
        "sentinel1_patches": "is made from something older",
        "patch_pairs": "comes after sentinel1_patches",
        "crjepa_descriptors": "comes after sentinel1_patches",
        "crjepa_index": "comes after crjepa_descriptors",
    }
    assert "1 new, 1 changed, 1 gone" in status()
    assert "the archive was not listed" in status("--no-listing")


def test_an_index_of_an_earlier_model_and_a_stage_of_another_version_are_named(root):
    record = read_record(root, "crjepa_model")
    other = root.model("crjepa", "b" * 64)
    shutil.copytree(root.root / record.summary["folder"], other)
    fields = atomic.read_json(other / "model.json")
    atomic.write_json(other / "model.json", {**fields, "fingerprint": "b" * 64})
    where = str(other.relative_to(root.root))
    changed = {**vars(record), "data_version": "b" * 64, "summary": {"folder": where}, "outputs": {where: 1}}
    write_record(root, type(record)(**changed))
    found = figures()
    assert found["variants"]["crjepa"]["index"]["current"] is False
    assert found["variants"]["crjepa"]["described"] == 0
    assert found["stale"]["crjepa_model"] == f"has lost {where}"
    said = status()
    assert f"of an earlier model, {record.data_version[:12]}" in said
    # The job that re-indexes trains nothing.
    assert "Run: dagster asset materialize --select crjepa_index" in said
    assert "reindex_new_acquisitions" not in said


def test_who_is_at_work_is_named(root):
    with held(root.locks / "crjepa_model.lock", print), held(root.root / "indexes/crjepa/x/writer.lock", print):
        found = figures()["at_work"]
    assert set(found) == {"crjepa_model", "indexes/crjepa/x"}
    assert all(who.startswith(f"process {os.getpid()} on ") for who in found.values())


def test_an_empty_data_root_gets_a_hint_from_a_process_of_its_own(tmp_path):
    environment = {**os.environ, "JEPA_DATA": str(tmp_path / "nothing")}
    command = [sys.executable, "-c", "from jepa_core.cli import app; app()", "status"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "nothing was made here yet. Run: dagster asset materialize --select crjepa_index" in run.stdout
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("stages/patch_pairs.json", "is not readable JSON"),
        ("patches/sentinel1/manifest.parquet", "is not readable as parquet"),
        ("patches/sentinel2/sources.parquet", "is not readable as parquet"),
        ("pairs/pairs.parquet", "is not readable as parquet"),
        ("models/crjepa/000000000000/model.json", "is not readable JSON"),
        ("indexes/crjepa/current.json", "is not readable JSON"),
    ],
)
def test_what_is_broken_is_named_and_the_rest_is_told(root, file, says):
    (root.root / file).write_text("{")
    text = status()
    assert says in text
    assert file in text
    assert "`jepa doctor` says what mends it" in text
    assert "8 places in the archive" in text


def test_a_data_root_of_another_archive_is_refused_in_a_line(root, monkeypatch, tmp_path):
    monkeypatch.setenv("JEPA_ARCHIVE", str(tmp_path))
    for command in ("status", "prune"):
        result = CliRunner().invoke(app, [command])
        assert result.exit_code == 1
        assert "holds products of the archive" in result.output
        assert len(result.output.strip().splitlines()) == 1
