"""BEN-14K: its list of pairs against the public lists, and patches as the published archives hold them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import rasterio

from jepa_core.archive.sample import COMMON, _copy_geotiff_pairs
from jepa_core.datasets.ben14k import open_ben14k
from jepa_core.datasets.ben14k_pairs import derive, read_pairs
from jepa_core.datasets.labelled_set import DatasetError, pixels_note
from jepa_core.datasets.registry import open_set
from jepa_core.sensors import SENTINEL1, SENTINEL2
from tests.synthetic import write_pairs


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def pairs_of(root):
    """The pairs of a small archive, as the list of BEN-14K holds its own."""
    s2 = names(root / "BigEarthNet-S2")
    s1 = names(root / "BigEarthNet-S1")
    by_place = {tuple(name.split("_")[-2:]): name for name in s1}
    partners = [by_place[tuple(name.split("_")[-2:])] for name in s2]
    return pd.DataFrame({"s2_name": s2, "s1_name": partners, "split": (["train", "val", "test"] * len(s2))[: len(s2)]})


@pytest.fixture
def small(tmp_path):
    write_pairs(tmp_path, 4)
    return tmp_path


@pytest.mark.slow
def test_the_list_is_what_the_public_lists_give_row_for_row(wheels):
    pd.testing.assert_frame_equal(read_pairs(), derive(wheels / COMMON.file_name))


def test_the_list_has_the_numbers_of_the_papers():
    pairs = read_pairs()
    assert pairs["split"].value_counts().to_dict() == {"train": 7761, "val": 3508, "test": 3563}
    assert pairs["s2_name"].is_unique
    assert pairs["s1_name"].is_unique


def test_six_real_pairs_are_read_with_their_labels(wheels, tmp_path):
    s2 = sorted(_copy_geotiff_pairs(wheels / COMMON.file_name, tmp_path))
    partners = {}
    for folder in (tmp_path / "BigEarthNet-S1").iterdir():
        said = json.loads((folder / f"{folder.name}_labels_metadata.json").read_text())
        partners[said["corresponding_s2_patch"]] = folder.name
    pairs = pd.DataFrame({"s2_name": s2, "s1_name": [partners[name] for name in s2], "split": "test"})
    found = open_ben14k(tmp_path, pairs)
    assert found.sensors == (SENTINEL1, SENTINEL2)
    s1_pixels, s2_pixels = (found.read(sensor, np.arange(6)) for sensor in found.sensors)
    assert s1_pixels.shape == (6, 2, 120, 120)
    assert s2_pixels.shape == (6, 12, 120, 120)
    assert -45 < s1_pixels.mean() < 10
    with rasterio.open(tmp_path / "BigEarthNet-S2" / s2[3] / f"{s2[3]}_B04.tif") as file:
        assert np.array_equal(s2_pixels[3, SENTINEL2.positions(["B04"])[0]], file.read(1))
    assert found.labels.any(axis=1).all()
    assert found.multi_label


def test_pairs_are_read_side_by_side_and_bands_by_name(small):
    pairs = pairs_of(small)
    found = open_ben14k(small, pairs)
    assert pixels_note("ben14k") in found.notes
    assert found.ids.tolist() == pairs["s2_name"].tolist()
    assert found.splits.tolist() == ["train", "val", "test", "train"]
    for row in (2, 0):
        name = pairs["s1_name"][row]
        with rasterio.open(small / "BigEarthNet-S1" / name / f"{name}_VH.tif") as file:
            vh = file.read(1)
        assert np.array_equal(found.read(SENTINEL1.with_bands(["VH"]), np.array([row]))[0, 0], vh)
    coarse = found.read(SENTINEL2, np.array([0]))[0, SENTINEL2.positions(["B01"])[0]]
    assert len(np.unique(coarse)) > 400, "60 m pixels are interpolated, not repeated"


def test_the_archives_own_folder_names_are_found_at_any_depth(small):
    pairs = pairs_of(small)
    version = open_ben14k(small, pairs).version
    (small / "disk").mkdir()
    (small / "BigEarthNet-S1").rename(small / "disk" / "BigEarthNet-S1-v1.0")
    (small / "BigEarthNet-S2").rename(small / "BigEarthNet-v1.0")
    assert open_ben14k(small, pairs).version == version


def test_missing_patches_are_counted_and_the_first_named(small):
    pairs = pairs_of(small)
    for name in pairs["s1_name"][1:3]:
        shutil.rmtree(small / "BigEarthNet-S1" / name)
    with pytest.raises(
        DatasetError, match=rf"2 of the 4 sentinel1 patches of ben14k are missing under .*{pairs['s1_name'][1]} first"
    ):
        open_ben14k(small, pairs)
    with pytest.raises(DatasetError, match="14832 of the 14832 sentinel1 patches of ben14k are missing"):
        open_set("ben14k", small)


def test_a_root_that_is_no_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match="is no folder: unpack the archives"):
        open_ben14k(tmp_path / "nowhere")


def test_missing_bands_and_broken_label_files_are_named(small):
    pairs = pairs_of(small)
    folder = small / "BigEarthNet-S2" / pairs["s2_name"][1]
    labels = folder / f"{folder.name}_labels_metadata.json"
    whole = labels.read_text()
    for text, complaint in (
        ("{", "holds no labels"),
        ("{}", "no field 'labels'"),
        ('{"labels": ["Moon"]}', "'Moon' is a class of neither"),
    ):
        labels.write_text(text)
        with pytest.raises(DatasetError, match=complaint):
            open_ben14k(small, pairs)
    labels.unlink()
    with pytest.raises(DatasetError, match=rf"{labels.name} is missing"):
        open_ben14k(small, pairs)
    labels.write_text(whole)
    (folder / f"{folder.name}_B8A.tif").unlink()
    with pytest.raises(DatasetError, match="has no band B8A"):
        open_ben14k(small, pairs)


def test_a_broken_geotiff_is_named_when_it_is_read(small):
    pairs = pairs_of(small)
    path = small / "BigEarthNet-S2" / pairs["s2_name"][1] / f"{pairs['s2_name'][1]}_B05.tif"
    shutil.copyfile(path.with_name(path.name.replace("B05", "B01")), path)
    found = open_ben14k(small, pairs)
    with pytest.raises(DatasetError, match=rf"{path.name} is of \(20, 20\) pixels, not of \(60, 60\)"):
        found.read(SENTINEL2, np.array([1]))
    path.write_bytes(b"II*\0")
    with pytest.raises(DatasetError, match=rf"{path.name} cannot be read as a raster"):
        found.read(SENTINEL2, np.array([1]))
    assert found.read(SENTINEL2, np.array([0])).shape == (1, 12, 120, 120)
