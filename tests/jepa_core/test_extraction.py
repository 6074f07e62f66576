import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.cutting import CutConfig, valid_mask
from jepa_core.errors import NotMaterializedError
from jepa_core.extraction import extract
from jepa_core.patch_store import (
    patches_version,
    read_manifest,
    read_patches,
    read_pixels,
    read_quarantine,
    scene_files,
)
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from tests.synthetic import S2_SCENE, cell, random_bands, write_pairs, write_patch


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    write_pairs(root, 9)
    return Archive(root)


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "data")


def cut(store, archive, sensor):
    return extract(store, archive.sources(sensor), sensor, CutConfig())


def test_bands_of_ten_metres_are_kept_to_the_bit_and_in_their_place(archive, store):
    for sensor in (SENTINEL1, SENTINEL2):
        cut(store, archive, sensor)
        rows = read_patches(store, sensor).sample(frac=1, random_state=3)
        pixels = read_pixels(store, sensor, rows)
        for patch_id, got in zip(rows["patch_id"], pixels, strict=True):
            for position, band in enumerate(sensor.bands):
                if band.resolution_m == 10:
                    folder = archive.root / f"BigEarthNet-{sensor.short.upper()}" / patch_id
                    with rasterio.open(folder / f"{patch_id}_{band.name}.tif") as file:
                        np.testing.assert_array_equal(got[position], file.read(1))


def test_coarser_bands_are_interpolated_without_a_shift(store, tmp_path):
    bands = random_bands(SENTINEL2, np.random.default_rng(0))
    for name in ("B05", "B01"):
        side = len(bands[name])
        # A ramp in metres: its value at any 10 m pixel's centre is known.
        centres = (np.arange(side) + 0.5) * 1200 / side
        bands[name] = np.broadcast_to(100 + centres, (side, side)).round().astype("uint16")
    write_patch(tmp_path / "a", SENTINEL2, f"{S2_SCENE}_0_0", cell(0), bands)
    cut(store, Archive(tmp_path / "a"), SENTINEL2)
    rows = read_patches(store, SENTINEL2)
    got = read_pixels(store, SENTINEL2, rows)[0].astype(float)
    truth = 100 + (np.arange(120) + 0.5) * 10
    for name, margin in (("B05", 2), ("B01", 6)):
        band = got[SENTINEL2.positions((name,))[0]]
        # At the rim there is nothing to interpolate towards.
        assert np.abs(band - truth)[:, margin:-margin].max() <= 1.0


def test_a_second_run_does_nothing_and_a_changed_scene_alone_is_cut_again(archive, store):
    first = cut(store, archive, SENTINEL1)
    assert (first.scenes, first.scenes_new, first.patches) == (3, 3, 9)
    assert cut(store, archive, SENTINEL1).scenes_new == 0
    before = read_manifest(store, SENTINEL1).set_index("scene_id")["folder"]
    folder = sorted((archive.root / "BigEarthNet-S1").iterdir())[0]
    write_patch(
        archive.root,
        SENTINEL1,
        folder.name,
        cell(0),
        {name: np.full((120, 120), -9.0, "float32") for name in ("VV", "VH")},
        partner=f"{S2_SCENE}_0_0",
    )
    again = cut(store, archive, SENTINEL1)
    assert (again.scenes, again.scenes_new, again.scenes_withdrawn) == (3, 1, 0)
    after = read_manifest(store, SENTINEL1).set_index("scene_id")["folder"]
    assert (before != after).sum() == 1
    assert {p.name for p in store.patches(SENTINEL1).iterdir() if p.is_dir()} == set(after)
    row = read_patches(store, SENTINEL1).set_index("patch_id", drop=False).loc[[folder.name]]
    assert (read_pixels(store, SENTINEL1, row) == -9).all()


def test_a_file_that_was_only_touched_or_copied_changes_no_version_and_no_folder(archive, store):
    cut(store, archive, SENTINEL1)
    version = patches_version(store, SENTINEL1)
    folders = {path: path.stat().st_ino for path in scene_files(store, SENTINEL1)[1:]}
    for path in (archive.root / "BigEarthNet-S1").glob("*/*_VV.tif"):
        os.utime(path, (0, 0))
    assert cut(store, archive, SENTINEL1).scenes_new == 3
    assert patches_version(store, SENTINEL1) == version
    assert set(scene_files(store, SENTINEL1)[1:]) == set(folders)


def test_a_label_changes_the_version(archive, store):
    cut(store, archive, SENTINEL1)
    version = patches_version(store, SENTINEL1)
    path = next((archive.root / "BigEarthNet-S1").glob("*/*.json"))
    path.write_text(path.read_text().replace("Water bodies", "Peatbogs"))
    assert cut(store, archive, SENTINEL1).scenes_new == 1
    assert patches_version(store, SENTINEL1) != version


def test_a_file_cut_short_inside_a_scene_is_noticed(archive, store):
    cut(store, archive, SENTINEL1)
    folder = store.patches(SENTINEL1) / read_manifest(store, SENTINEL1)["folder"][0]
    largest = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    assert cut(store, archive, SENTINEL1).scenes_new == 1
    assert largest.stat().st_size > 100


def test_patches_of_another_size_are_refused(tmp_path, store):
    place = replace(cell(0), xmax=cell(0).xmin + 600, ymin=cell(0).ymax - 600)
    write_patch(tmp_path / "a", SENTINEL1, "S1A_x_0_0", place, random_bands(SENTINEL1, np.random.default_rng(0)))
    with pytest.raises(ArchiveError, match="is 600 m wide, cells are set to 1200 m"):
        cut(store, Archive(tmp_path / "a"), SENTINEL1)


def test_a_scene_gone_from_the_archive_is_withdrawn(archive, store):
    cut(store, archive, SENTINEL2)
    for name in (f"{S2_SCENE}_{i}_0" for i in (0, 1, 2)):
        shutil.rmtree(archive.root / "BigEarthNet-S2" / name)
    summary = cut(store, archive, SENTINEL2)
    assert (summary.scenes, summary.scenes_new, summary.scenes_withdrawn) == (2, 0, 1)
    assert len(read_patches(store, SENTINEL2)) == 6


def test_a_lost_folder_is_cut_again_and_a_stray_one_swept(archive, store):
    cut(store, archive, SENTINEL1)
    folder = store.patches(SENTINEL1) / read_manifest(store, SENTINEL1)["folder"][0]
    shutil.rmtree(folder)
    (store.patches(SENTINEL1) / "stray").mkdir()
    assert cut(store, archive, SENTINEL1).scenes_new == 1
    assert folder.is_dir()
    assert not (store.patches(SENTINEL1) / "stray").exists()


def test_valid_pixels_are_those_that_every_band_measured():
    s2 = np.ones((1, 12, 2, 2), "uint16")
    s2[0, 5, 0, 1] = 0
    assert valid_mask(s2, SENTINEL2).tolist() == [[[True, False], [True, True]]]
    s1 = np.zeros((1, 2, 1, 3), "float32")
    s1[0, 0, 0, 0], s1[0, 1, 0, 2] = np.nan, -np.inf
    assert valid_mask(s1, SENTINEL1).tolist() == [[[False, True, False]]]


def test_the_valid_fraction_counts_nodata(tmp_path, store):
    bands = random_bands(SENTINEL2, np.random.default_rng(0))
    bands["B04"][:30] = 0
    write_patch(tmp_path / "a", SENTINEL2, f"{S2_SCENE}_0_0", cell(0), bands)
    cut(store, Archive(tmp_path / "a"), SENTINEL2)
    assert read_patches(store, SENTINEL2)["valid_fraction"].tolist() == [0.75]


def test_a_raster_that_lies_elsewhere_or_is_broken_is_set_aside_alone_and_named(tmp_path, store):
    write_pairs(tmp_path / "a", 3)
    name = "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_0_0"
    bands = random_bands(SENTINEL1, np.random.default_rng(0))
    other = write_patch(tmp_path / "b", SENTINEL1, name, cell(1), bands)
    target = tmp_path / "a" / "BigEarthNet-S1" / name / f"{name}_VH.tif"
    for harm, says in (
        (lambda: shutil.copy(other / target.name, target), "_VH.tif lies at"),
        (lambda: target.write_bytes(b"II*\0garbage"), "_VH.tif cannot be read"),
    ):
        harm()
        summary = cut(store, Archive(tmp_path / "a"), SENTINEL1)
        assert (summary.scenes, summary.patches, summary.patches_quarantined) == (1, 2, 1)
        (row,) = read_quarantine(store, SENTINEL1).itertuples()
        assert row.place == name
        assert says in row.reason


def test_a_set_of_which_nothing_can_be_read_is_a_plain_error(tmp_path, store):
    name = "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_0_0"
    folder = write_patch(tmp_path / "a", SENTINEL1, name, cell(0), random_bands(SENTINEL1, np.random.default_rng(0)))
    (folder / f"{name}_VH.tif").write_bytes(b"")
    with pytest.raises(ArchiveError, match=rf"not one of 1 sentinel1 scenes could be cut; first .*{name}_VH\.tif"):
        cut(store, Archive(tmp_path / "a"), SENTINEL1)
    assert read_manifest(store, SENTINEL1).empty


def test_patches_before_any_extraction_are_a_plain_error(store):
    with pytest.raises(NotMaterializedError, match="--select sentinel1_patches"):
        read_patches(store, SENTINEL1)
