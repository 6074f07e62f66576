import json
from datetime import UTC, datetime

import numpy as np
import pytest

from jepa_core.archive.discover import Archive, open_archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.settings import Settings
from jepa_core.store import Store
from tests.synthetic import S2_SCENE, cell, random_bands, scenes_of, write_pairs, write_patch


def test_scenes_group_the_patches_of_a_product(tmp_path):
    write_pairs(tmp_path, 7)
    for sensor in (SENTINEL1, SENTINEL2):
        scenes = scenes_of(tmp_path, sensor)
        assert [len(scene.patches) for scene in scenes] == [3, 3, 1]
    scene = scenes_of(tmp_path, SENTINEL2)[0]
    assert scene.time == datetime(2017, 6, 13, 10, 10, 31, tzinfo=UTC)
    patch = scene.patches[1]
    assert patch.cell == cell(1)
    assert patch.labels == ("Inland waters", "Marine waters")
    assert patch.split == "val"
    assert patch.partner is None
    assert scenes_of(tmp_path, SENTINEL1)[0].patches[1].partner == patch.name
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
