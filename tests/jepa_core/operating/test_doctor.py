import os
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from jepa_core import atomic
from jepa_core.archive.discover import Archive
from jepa_core.cli import app
from jepa_core.cutting import CutConfig
from jepa_core.describing.archive import describe_archive
from jepa_core.descriptors import read_descriptors
from jepa_core.extraction import extract
from jepa_core.index.sync import current_index, open_current
from jepa_core.locks import held
from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.tables import PAIRS, write_table
from tests.jepa_core.operating import damages
from tests.jepa_core.operating.conftest import note_all, sync
from tests.jepa_core.operating.test_prune import WASTE, hits, what_a_killed_process_left


def doctor(*arguments):
    result = CliRunner().invoke(app, ["doctor", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.stdout


def run_the_chain(root, archive, model):
    """What materializing does with stages that have something to do."""
    for sensor in (SENTINEL1, SENTINEL2):
        extract(root, Archive(archive).sources(sensor), sensor, CutConfig())
    if not root.pairs.exists():
        a, b = (read_patches(root, sensor) for sensor in (SENTINEL1, SENTINEL2))
        write_table(pair_patches(a, b, PairingConfig()), PAIRS, root.pairs)
    describe_archive(root, model)
    sync(root, model)
    note_all(root, archive, model)


def same(one, other, model):
    for sensor in (SENTINEL1, SENTINEL2):
        columns = ["scene_id", "place", "holds", "folder", "patches"]
        pd.testing.assert_frame_equal(read_manifest(one, sensor)[columns], read_manifest(other, sensor)[columns])
        a, b = (read_descriptors(store, "crjepa", model.fingerprint, sensor) for store in (one, other))
        assert a.patch_ids.tolist() == b.patch_ids.tolist()
        for kind in a.vectors:
            np.testing.assert_allclose(a.vectors[kind], b.vectors[kind], atol=1e-3)
    pd.testing.assert_frame_equal(pd.read_parquet(one.pairs), pd.read_parquet(other.pairs))
    (ids, scores), (others, other_scores) = (hits(open_current(current_index(s, "crjepa"))) for s in (one, other))
    assert ids == others
    np.testing.assert_allclose(scores, other_scores, atol=2e-3)


def test_a_sound_root_gives_no_finding(root):
    assert doctor() == (0, "0 things are wrong; 0 are left over\n")


@pytest.mark.parametrize("damage", damages.MENDED, ids=lambda damage: damage.__name__)
def test_what_is_damaged_is_named_alone_and_mended(root, damage):
    path = damage(root)
    code, said = doctor("--mend")
    findings = [line for line in said.splitlines() if line.startswith(("wrong: ", "left over: "))]
    assert len(findings) == 1, said
    assert findings[0].startswith(f"wrong: {path}: ")
    assert "; " in findings[0]
    assert ". Mended by: " in findings[0]
    assert "\nmended: " in said
    assert "1 things are wrong, 1 of them mended; 0 are left over" in said
    assert code == 0


@pytest.mark.parametrize(
    "several",
    [
        pytest.param(several, id=name, marks=[] if name == "bits and ends" else pytest.mark.slow)
        for name, several in damages.TOGETHER.items()
    ],
)
def test_mended_and_made_again_all_is_as_it_was(root, made, several, trained, synthetic_archive):
    for damage in several:
        damage(root)
    code, said = doctor("--mend")
    assert code == 0
    assert f"{len(several)} things are wrong, {len(several)} of them mended" in said
    run_the_chain(root, synthetic_archive, trained)
    assert doctor() == (0, "0 things are wrong; 0 are left over\n")
    same(root, made, trained)


@pytest.mark.parametrize("damage", damages.LEFT, ids=lambda damage: damage.__name__)
def test_what_only_a_person_can_mend_is_named_and_stays(root, damage):
    path = damage(root)
    before = {p: p.stat().st_mtime_ns for p in root.root.rglob("*") if p.is_file() and "locks" not in p.parts}
    code, said = doctor("--mend")
    assert code == 1
    assert said.count("wrong: ") == 1, said
    assert f"wrong: {path}: " in said
    after = {p: p.stat().st_mtime_ns for p in root.root.rglob("*") if p.is_file() and "locks" not in p.parts}
    assert after == before


def test_what_is_left_over_is_no_error(root):
    paths = [make(root) for make in WASTE]
    code, said = doctor()
    assert code == 0
    for path in paths:
        assert f"left over: {path}: " in said
    assert "0 things are wrong" in said


def test_half_written_files_of_dead_processes_are_swept(root):
    path = what_a_killed_process_left(root)
    living = path.with_name(f".tmp-scene-{os.getpid()}-01234567")
    living.mkdir()
    assert f"mended: removed {path}" in doctor("--mend")[1]
    assert (path.exists(), living.exists()) == (False, True)


def test_what_somebody_is_working_on_is_not_mended(root):
    path = damages.descriptors_cut_short(root)
    with held(root.locks / "crjepa_descriptors.lock", print):
        code, said = doctor("--mend")
    assert code == 1
    assert "at work on crjepa_descriptors: process " in said
    assert "not mended: process " in said
    assert path.exists()
    assert doctor("--mend")[0] == 0
    assert not path.exists()


def test_a_stage_that_is_under_way_is_not_judged_by_its_outputs(root):
    damages.descriptors_gone(root)
    with held(root.locks / "crjepa_descriptors.lock", print):
        code, said = doctor()
    assert (code, said.count("wrong: ")) == (0, 0)


def test_a_scene_that_the_archive_no_longer_holds_is_not_deleted(root, synthetic_archive, tmp_path, monkeypatch):
    archive = shutil.copytree(synthetic_archive, tmp_path / "archive")
    monkeypatch.setenv("JEPA_ARCHIVE", str(archive))
    atomic.write_json(root.root / "root.json", {"archive": str(archive)})
    folder = damages.pixels_with_another_bit(root)
    names = set(pd.read_parquet(folder / "patches.parquet")["patch_id"])
    for name in names:
        shutil.rmtree(archive / "BigEarthNet-S2" / name)
    code, said = doctor("--mend")
    assert code == 1
    assert "the archive does not hold" in said
    assert folder.exists()
    shutil.rmtree(archive)
    code, said = doctor("--mend")
    assert code == 1
    assert "the archive cannot be listed now" in said
    assert folder.exists()


def test_a_scene_that_changes_while_it_is_read_is_not_called_broken(root, monkeypatch):
    from jepa_core.operating import check_patches

    folder = damages.a_scene_s_folder_gone(root)
    looked = check_patches._wrong_with

    def late(path, row, sensor):
        found = looked(path, row, sensor)
        if path == folder and found is not None:
            # Meanwhile the extraction has withdrawn it.
            manifest = read_manifest(root, SENTINEL2)
            write = manifest[manifest["folder"] != folder.name]
            write.to_parquet(root.patches(SENTINEL2) / "manifest.parquet", index=False)
        return found

    monkeypatch.setattr(check_patches, "_wrong_with", late)
    assert f"{folder}: " not in doctor()[1].replace(f"wrong: {folder}: is missing; sentinel2_patches is not whole", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said_in_a_line(root):
    path = damages.descriptors(root)
    path.chmod(0)
    code, said = doctor()
    assert code == 1
    assert f"wrong: {path}: " in said


def test_an_empty_data_root_is_sound(tmp_path, monkeypatch):
    monkeypatch.setenv("JEPA_DATA", str(tmp_path / "nothing"))
    (tmp_path / "nothing").mkdir()
    assert doctor() == (0, "0 things are wrong; 0 are left over\n")
    assert not list((tmp_path / "nothing").iterdir())


@pytest.mark.parametrize("command", [["doctor"], ["doctor", "--mend"], ["prune"], ["prune", "--dry-run"]])
def test_a_data_root_that_is_not_there_is_not_called_healthy(tmp_path, monkeypatch, command):
    monkeypatch.setenv("JEPA_DATA", str(tmp_path / "mistyped"))
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert f"there is no data root at {tmp_path / 'mistyped'}" in result.output
    assert not (tmp_path / "mistyped").exists()
