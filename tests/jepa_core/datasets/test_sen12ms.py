"""SEN12MS, on small files of its layout."""

import os
import pickle
import shutil

import numpy as np
import pytest
import rasterio

from jepa_core.datasets.labelled_set import DatasetError, pixels_note
from jepa_core.datasets.rasters import SENTINEL2_L1C
from jepa_core.datasets.sen12ms import SPLIT_OF_SCENE, open_sen12ms
from jepa_core.datasets.sen12ms_labels import LIST
from jepa_core.sensors import SENTINEL1
from tests.jepa_core.datasets.conftest import write_raster

# Scene 15 is held out, scene 44 is validated on.
PATCHES = {
    ("ROIs1158_spring", 1, 30): {12: 0.3, 14: 0.3, 17: 0.4},
    ("ROIs1158_spring", 15, 31): {17: 1.0},
    ("ROIs1158_spring", 44, 32): {1: 0.2, 2: 0.2, 3: 0.2, 10: 0.4},
    ("ROIs1868_summer", 146, 202): {1: 1.0},
    ("ROIs1868_summer", 146, 203): {13: 1.0},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("sen12ms")
    rng = np.random.default_rng(0)
    for (season, scene, patch), shares in PATCHES.items():
        cover = np.repeat(list(shares), np.round(np.array(list(shares.values())) * 10).astype(int))
        rasters = {
            "s1": rng.normal(-12, 4, (2, 256, 256)).astype("float32"),
            "s2": rng.integers(1, 5000, (13, 256, 256)).astype("uint16"),
            "lc": np.broadcast_to(np.resize(cover, 250).astype("uint16"), (4, 20, 250)),
        }
        for kind, pixels in rasters.items():
            write_raster(root / season / f"{kind}_{scene}" / f"{season}_{kind}_{scene}_p{patch}.tif", pixels)
    return root


@pytest.fixture
def root(made, tmp_path):
    return shutil.copytree(made, tmp_path / "sen12ms")


def test_labels_are_the_largest_share_of_the_merged_classes(made):
    found = open_sen12ms(made, len(PATCHES))
    assert {name: found.label_names(row)[0] for row, name in enumerate(found.ids)} == {
        "ROIs1158_spring_1_p30": "Croplands",
        "ROIs1158_spring_15_p31": "Water",
        "ROIs1158_spring_44_p32": "Forest",
        "ROIs1868_summer_146_p203": "Urban/Built-up",
    }


def test_whole_scenes_are_held_out_as_the_authors_say(made):
    found = open_sen12ms(made, len(PATCHES))
    assert dict(zip(found.ids.tolist(), found.splits.tolist(), strict=True)) == {
        "ROIs1158_spring_1_p30": "train",
        "ROIs1158_spring_15_p31": "test",
        "ROIs1158_spring_44_p32": "val",
        "ROIs1868_summer_146_p203": "train",
    }
    parts = list(SPLIT_OF_SCENE.values())
    assert (parts.count("test"), parts.count("val")) == (26, 25)


def test_pairs_are_read_side_by_side(made):
    found = open_sen12ms(made, len(PATCHES))
    row = found.ids.tolist().index("ROIs1158_spring_44_p32")
    with rasterio.open(made / "ROIs1158_spring" / "s1_44" / "ROIs1158_spring_s1_44_p32.tif") as file:
        assert np.array_equal(found.read(SENTINEL1, np.array([row]))[0], file.read())
    with rasterio.open(made / "ROIs1158_spring" / "s2_44" / "ROIs1158_spring_s2_44_p32.tif") as file:
        assert np.array_equal(found.read(SENTINEL2_L1C, np.array([row]))[0], file.read())


@pytest.mark.parametrize("kept_as", [list, np.asarray])
def test_the_authors_list_goes_before_the_rasters(root, kept_as):
    listed = {f"{season}_s2_{scene}_p{patch}.tif": kept_as([0.0] * 15 + [1.0, 0.0]) for season, scene, patch in PATCHES}
    (root / LIST).write_bytes(pickle.dumps(listed))
    found = open_sen12ms(root, len(PATCHES))
    assert pixels_note("sen12ms") in found.notes
    assert found.label_names(0) == ("Barren",)
    assert any(LIST in note for note in found.notes)
    del listed["ROIs1158_spring_s2_15_p31.tif"]
    (root / LIST).write_bytes(pickle.dumps(listed))
    with pytest.raises(DatasetError, match=r"has no labels of 'ROIs1158_spring_s2_15_p31\.tif'"):
        open_sen12ms(root, len(PATCHES))


def test_a_list_that_would_run_something_is_refused(root, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    (root / LIST).write_bytes(pickle.dumps({"a": Trap()}))
    with pytest.raises(DatasetError, match="is not the list of labels of SEN12MS"):
        open_sen12ms(root, len(PATCHES))
    assert not (tmp_path / "sprung").exists()


def test_missing_images_are_counted_and_the_first_named(root):
    with pytest.raises(DatasetError, match="holds 5 pairs, SEN12MS has 180662"):
        open_sen12ms(root)
    (root / "ROIs1158_spring" / "s1_15" / "ROIs1158_spring_s1_15_p31.tif").unlink()
    with pytest.raises(DatasetError, match=r"1 s1 images of SEN12MS are missing .* ROIs1158_spring_15_p31 first"):
        open_sen12ms(root, len(PATCHES))


def test_damaged_files_are_named(root):
    s1 = root / "ROIs1158_spring" / "s1_1" / "ROIs1158_spring_s1_1_p30.tif"
    s1.write_bytes(b"II*\0")
    found = open_sen12ms(root, len(PATCHES))
    row = found.ids.tolist().index("ROIs1158_spring_1_p30")
    with pytest.raises(DatasetError, match=rf"{s1.name} cannot be read as a raster"):
        found.read(SENTINEL1, np.array([row]))
    cover = root / "ROIs1158_spring" / "lc_1" / "ROIs1158_spring_lc_1_p30.tif"
    write_raster(cover, np.full((4, 10, 10), 18, dtype="uint16"))
    with pytest.raises(DatasetError, match=rf"{cover.name} holds none of the IGBP classes 1 to 17"):
        open_sen12ms(root, len(PATCHES))
