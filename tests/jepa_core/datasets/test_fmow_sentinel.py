"""fMoW-Sentinel, on small files of its layout."""

import numpy as np
import pandas as pd
import pytest

from jepa_core.datasets.fmow import DATES_NOTE
from jepa_core.datasets.fmow_sentinel import SIDE, open_fmow_sentinel
from jepa_core.datasets.labelled_set import DatasetError, pixels_note
from jepa_core.datasets.rasters import SENTINEL2_L1C
from jepa_core.datasets.registry import open_set
from tests.jepa_core.datasets.conftest import write_raster

ROWS = {
    "train": [("airport", 0, 6), ("airport", 0, 101), ("zoo", 3, 0)],
    "val": [("airport", 0, 6)],
    "test_gt": [("barn", 12, 100)],
}


@pytest.fixture
def root(tmp_path):
    for split, rows in ROWS.items():
        table = pd.DataFrame(rows, columns=["category", "location_id", "image_id"])
        table.assign(timestamp="2016-01-01T00:00:00Z", polygon="POLYGON ((0 0))").to_csv(tmp_path / f"{split}.csv")
        for i, (category, location, image) in enumerate(rows):
            place = f"{category}_{location}"
            values = (100 * np.arange(1, 14) + i).astype("uint16")
            path = tmp_path / "fmow-sentinel" / split / category / place / f"{place}_{image}.tif"
            write_raster(path, np.broadcast_to(values[:, None, None], (13, 45, 60)))
    return tmp_path


def test_rows_are_those_of_the_lists(root):
    found = open_set("fmow-sentinel", root)
    rows = {name: (found.splits[row], *found.label_names(row)) for row, name in enumerate(found.ids.tolist())}
    assert rows == {
        "test_gt/barn_12_100": ("test", "barn"),
        "train/airport_0_101": ("train", "airport"),
        "train/airport_0_6": ("train", "airport"),
        "train/zoo_3_0": ("train", "zoo"),
        "val/airport_0_6": ("val", "airport"),
    }


def test_images_are_brought_to_one_size_with_bands_by_wavelength(root):
    found = open_fmow_sentinel(root)
    assert pixels_note("fmow-sentinel") in found.notes
    assert DATES_NOTE in found.notes
    pixels = found.read(SENTINEL2_L1C, np.array([3, 1]))
    assert pixels.shape == (2, 13, SIDE, SIDE)
    assert pixels.dtype == np.uint16
    assert pixels[0, :, 50, 50].tolist() == [100 * band + 2 for band in range(1, 14)]
    assert (found.read(SENTINEL2_L1C.with_bands(["B8A"]), np.array([1])) == 901).all()


def test_composites_in_floating_point_are_rounded_and_gaps_become_no_data(root):
    values = np.full((13, 45, 60), 99.6, dtype="float32")
    values[:, :, :30] = np.nan
    write_raster(root / "fmow-sentinel" / "val" / "airport" / "airport_0" / "airport_0_6.tif", values)
    pixels = open_fmow_sentinel(root).read(SENTINEL2_L1C, np.array([4]))[0]
    assert pixels[:, 50, 2].tolist() == [0] * 13
    assert pixels[:, 50, -2].tolist() == [100] * 13


def test_missing_images_and_lists_are_said(root):
    (root / "fmow-sentinel" / "train" / "zoo" / "zoo_3" / "zoo_3_0.tif").unlink()
    with pytest.raises(DatasetError, match=r"1 of the 5 images of fMoW-Sentinel are missing .*zoo_3_0\.tif first"):
        open_fmow_sentinel(root)
    (root / "val.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"val\.csv is no list of fMoW-Sentinel"):
        open_fmow_sentinel(root)
    (root / "val.csv").write_text("category,location_id,image_id\ncastle,0,0\n")
    with pytest.raises(DatasetError, match="'castle', which is no category of fMoW"):
        open_fmow_sentinel(root)
    (root / "val.csv").unlink()
    with pytest.raises(DatasetError, match=r"val\.csv is missing"):
        open_fmow_sentinel(root)


def test_a_broken_image_is_named(root):
    path = root / "fmow-sentinel" / "val" / "airport" / "airport_0" / "airport_0_6.tif"
    path.write_bytes(b"II*\0")
    with pytest.raises(DatasetError, match=r"airport_0_6\.tif cannot be read as a raster"):
        open_fmow_sentinel(root).read(SENTINEL2_L1C, np.array([4]))
