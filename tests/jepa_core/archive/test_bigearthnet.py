import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from jepa_core.archive.discover import Archive, open_archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.grid import Cell
from jepa_core.patch_store import read_quarantine
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.settings import Settings
from jepa_core.store import Store
from jepa_core.testing.bigearthnet import PatchPair, write_bigearthnet
from jepa_core.testing.world import World
from tests.synthetic import S2_SCENE, cell, random_bands, scenes_of, write_pairs, write_patch


def test_scenes_group_the_patches_of_a_product(tmp_path):
    write_pairs(tmp_path, 7)
    for sensor in (SENTINEL1, SENTINEL2):
        scenes = scenes_of(tmp_path, sensor)
        assert [len(scene.patches) for scene in scenes] == [3, 3, 1]
    scene = scenes_of(tmp_path, SENTINEL2)[1]
    assert scene.time.replace(day=13) == datetime(2017, 6, 13, 10, 10, 31, tzinfo=UTC)
    patch = scene.patches[1]
    assert patch.cell == cell(4)
    assert patch.labels == ("Inland waters", "Marine waters")
    assert patch.split == "val"
    assert patch.partner is None
    assert scenes_of(tmp_path, SENTINEL1)[1].patches[1].partner == patch.name
    assert tuple(patch.bands) == SENTINEL2.band_names


def test_layout_depth_and_folder_names_do_not_matter(tmp_path):
    write_pairs(tmp_path, 3)
    moved = tmp_path / "disk 2" / "BigEarthNet-v1.0 (örtlich)"
    moved.parent.mkdir()
    (tmp_path / "BigEarthNet-S2").rename(moved)
    assert len(scenes_of(tmp_path, SENTINEL2)[0].patches) == 3


def test_a_missing_band_is_named(tmp_path):
    folder = write_patch(
        tmp_path,
        SENTINEL2,
        f"{S2_SCENE}_0_0",
        cell(0),
        random_bands(SENTINEL2, np.random.default_rng(0)),
    )
    (folder / f"{folder.name}_B8A.tif").unlink()
    with pytest.raises(ArchiveError, match=rf"has no band B8A: {folder.name}_B8A\.tif is missing"):
        scenes_of(tmp_path, SENTINEL2)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_text("{"), "not readable JSON"),
        (lambda path: path.write_text("[]"), "holds no fields"),
        (lambda path: change(path, "labels", ["Volcano"]), "Volcano"),
        (lambda path: change(path, "projection", "nonsense"), "labels_metadata"),
        (lambda path: change(path, "acquisition_date", "yesterday"), "yesterday"),
        (lambda path: change(path, "coordinates", {"ulx": 1}), "lly"),
    ],
)
def test_broken_metadata_name_their_file(tmp_path, break_it, says):
    folder = write_patch(
        tmp_path,
        SENTINEL2,
        f"{S2_SCENE}_0_0",
        cell(0),
        random_bands(SENTINEL2, np.random.default_rng(0)),
    )
    break_it(folder / f"{folder.name}_labels_metadata.json")
    with pytest.raises(ArchiveError, match=says) as error:
        scenes_of(tmp_path, SENTINEL2)
    assert folder.name in str(error.value)


def change(path, field, value):
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))


def test_a_scene_s_content_changes_with_any_of_its_files(tmp_path):
    write_pairs(tmp_path, 3)
    before = Archive(tmp_path).sources(SENTINEL1)[0].stamp
    assert Archive(tmp_path).sources(SENTINEL1)[0].stamp == before
    path = next((tmp_path / "BigEarthNet-S1").glob("*/*_VH.tif"))
    path.write_bytes(path.read_bytes() + b"\0")
    assert Archive(tmp_path).sources(SENTINEL1)[0].stamp != before


def test_an_archive_that_is_no_folder_or_empty_is_a_plain_error(tmp_path):
    store = Store.at(tmp_path / "data")
    with pytest.raises(ArchiveError, match="not a folder"):
        open_archive(Settings(archive=tmp_path / "nowhere"), store)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ArchiveError, match="no sentinel1 scenes under"):
        open_archive(Settings(archive=empty), store).sources(SENTINEL1)


TIMES = {
    "time_s2": datetime(2017, 6, 13, 10, 10, 31, tzinfo=UTC),
    "time_s1": datetime(2017, 6, 13, 16, 50, 43, tzinfo=UTC),
}
S2_V2 = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
S1_V2 = "S1A_IW_GRDH_1SDV_20170613T165043"


@pytest.fixture
def v2(tmp_path):
    root = tmp_path / "v2"
    pairs = [PatchPair(26, 57), PatchPair(27, 57, "validation"), PatchPair(28, 57, "test")]
    write_bigearthnet(root, World(3), pairs, **TIMES)
    return root


def change_table(root, change):
    path = root / "metadata.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def cut(root, sensor, store):
    return extract(store, Archive(root).sources(sensor), sensor, CutConfig())


def test_v2_has_labels_and_parts_from_its_table_and_places_from_its_rasters(v2):
    table = pd.read_parquet(v2 / "metadata.parquet").set_index("patch_id")
    (optical,) = scenes_of(v2, SENTINEL2)
    assert (optical.id, optical.time) == (S2_V2, TIMES["time_s2"])
    assert [patch.name for patch in optical.patches] == [f"{S2_V2}_{column}_57" for column in (26, 27, 28)]
    assert [patch.split for patch in optical.patches] == ["train", "val", "test"]
    assert [patch.partner for patch in optical.patches] == [None] * 3
    assert optical.patches[0].cell == Cell(32633, 331_200, 5_330_400, 332_400, 5_331_600)
    for patch in optical.patches:
        assert patch.labels == tuple(sorted(table["labels"][patch.name]))
    (radar,) = scenes_of(v2, SENTINEL1)
    assert radar.time == TIMES["time_s1"]
    for one, other in zip(radar.patches, optical.patches, strict=True):
        assert (one.partner, one.cell, one.labels, one.split) == (other.name, other.cell, other.labels, other.split)


def test_v2_leaves_out_what_its_table_does_not_list(v2):
    change_table(v2, lambda table: table[1:])
    assert [patch.name[-5:] for patch in scenes_of(v2, SENTINEL1)[0].patches] == ["27_57", "28_57"]
    change_table(v2, lambda table: table[:0])
    with pytest.raises(ArchiveError, match=rf"metadata\.parquet lists none of the patches of {S2_V2}"):
        scenes_of(v2, SENTINEL2)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda root: (root / "metadata.parquet").write_bytes(b"PAR1"), "is not the metadata of BigEarthNet v2"),
        (lambda root: change_table(root, lambda t: t.drop(columns="split")), "split"),
        (lambda root: change_table(root, lambda t: t.drop(columns="s1_name")), "s1_name"),
        (lambda root: change_table(root, lambda t: t.assign(split="holdout")), "holdout"),
        (lambda root: change_table(root, lambda t: t.assign(labels=[["Volcano"]] * 3)), "Volcano"),
        (lambda root: change_table(root, lambda t: t.assign(labels=None)), "is not the metadata"),
        (lambda root: change_table(root, lambda t: t.assign(patch_id=range(3))), "patch_id"),
    ],
)
def test_a_broken_table_of_v2_is_a_fault_that_names_it(v2, harm, says):
    harm(v2)
    for sensor in (SENTINEL1, SENTINEL2):
        (source,) = Archive(v2).sources(sensor)
        with pytest.raises(ArchiveError, match=rf"metadata\.parquet.*{says}"):
            source.read()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda path: path.unlink(), "has no band B02"),
        (lambda path: path.write_bytes(b"II*\0"), "_B02.tif cannot be read"),
        (lambda path: shutil.copy(path.parents[1] / f"{S2_V2}_27_57" / f"{S2_V2}_27_57_B02.tif", path), "lies at"),
    ],
)
def test_one_broken_patch_of_v2_does_not_take_the_others(v2, tmp_path, harm, says):
    store = Store.at(tmp_path / "data")
    harm(v2 / "BigEarthNet-S2" / S2_V2 / f"{S2_V2}_26_57" / f"{S2_V2}_26_57_B02.tif")
    summary = cut(v2, SENTINEL2, store)
    assert (summary.scenes, summary.patches, summary.patches_quarantined) == (1, 2, 1)
    (row,) = read_quarantine(store, SENTINEL2).itertuples()
    assert says in row.reason
    assert not row.whole_scene


def test_both_versions_lie_in_one_archive(v2, tmp_path):
    root = tmp_path / "both"
    root.mkdir()
    v2.rename(root / "v2")
    write_pairs(root / "v1", 3)
    store = Store.at(tmp_path / "data")
    for sensor in (SENTINEL1, SENTINEL2):
        assert [len(scene.patches) for scene in scenes_of(root, sensor)] == [3, 3]
    assert cut(root, SENTINEL2, store).patches == 6
    # The radar products of both bear one name: the second is told, not lost.
    summary = cut(root, SENTINEL1, store)
    assert (summary.patches, summary.scenes_quarantined) == (3, 1)
    assert f"has the id {S1_V2}_33UUP, which" in read_quarantine(store, SENTINEL1)["reason"][0]
