"""fMoW-RGB, on small files of its layout."""

import json

import numpy as np
import pytest

from jepa_core.datasets.fmow import DATES_NOTE
from jepa_core.datasets.fmow_rgb import SENSOR, SIDE, open_fmow_rgb
from jepa_core.datasets.labelled_set import DatasetError, pixels_note
from jepa_core.datasets.registry import open_set
from tests.jepa_core.datasets.conftest import jpeg, picture


def write(root, place, pixels, boxes, kind="rgb"):
    path = root / f"{place}_{kind}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(pixels))
    path.with_suffix(".json").write_text(json.dumps({"bounding_boxes": boxes}))


def box(*edges):
    return {"ID": 0, "category": "airport", "box": list(edges)}


@pytest.fixture
def root(tmp_path):
    scene = np.zeros((200, 300, 3), dtype=np.uint8)
    scene[50:100, 120:220] = (200, 40, 90)
    write(tmp_path, "train/airport/airport_0/airport_0_1", scene, [box(120, 50, 100, 50), box(0, 0, 9, 9)])
    write(tmp_path, "train/airport/airport_0/airport_0_1", scene, [box(0, 0, 9, 9)], kind="msrgb")
    write(tmp_path, "train/zoo/zoo_3/zoo_3_0", scene, box(-20, -10, 60, 60))
    write(tmp_path, "train/false_detection/false_detection_1/false_detection_1_0", scene, [box(0, 0, 9, 9)])
    write(tmp_path, "val/airport/airport_0/airport_0_1", picture(1), [box(0, 0, 64, 64)])
    write(tmp_path, "test_gt/zoo/zoo_0/zoo_0_0", picture(2), [box(0, 0, 64, 64)])
    write(tmp_path, "test/0000012/0000012_0", picture(3), [box(0, 0, 64, 64)])
    return tmp_path


def test_rows_are_pictures_of_categories_with_the_splits_of_their_folders(root):
    found = open_set("fmow-rgb", root)
    rows = {name: (found.splits[row], *found.label_names(row)) for row, name in enumerate(found.ids.tolist())}
    assert rows == {
        "test_gt/zoo_0_0": ("test", "zoo"),
        "train/airport_0_1": ("train", "airport"),
        "train/zoo_3_0": ("train", "zoo"),
        "val/airport_0_1": ("val", "airport"),
    }
    assert len(found.classes) == 62


def test_the_first_box_is_cut_out_and_brought_to_one_size(root):
    found = open_fmow_rgb(root)
    assert pixels_note("fmow-rgb") in found.notes
    assert DATES_NOTE in found.notes
    pixels = found.read(SENSOR, np.array([1, 2]))
    assert pixels.shape == (2, 3, SIDE, SIDE)
    inside = pixels[0, :, 20:-20, 20:-20].reshape(3, -1).astype(int)
    assert np.abs(inside - np.array([[200], [40], [90]])).max() < 12
    assert pixels[1].max() < 12, "a box over the edge is cut at it"


def test_a_part_that_is_not_there_is_noted(root):
    (root / "test_gt").rename(root / "elsewhere")
    found = open_fmow_rgb(root)
    assert "there is no folder test_gt" in found.notes
    assert len(found) == 3


def test_boxes_that_are_missing_or_outside_are_named(root):
    path = root / "val" / "airport" / "airport_0" / "airport_0_1_rgb.json"
    for content, complaint in (
        ('{"bounding_boxes": []}', r"airport_0_1_rgb\.json holds no bounding box"),
        ("{", r"airport_0_1_rgb\.json holds no bounding box"),
        ('{"bounding_boxes": [{"box": [70, 0, 10, 10]}]}', r"airport_0_1_rgb\.json lies outside its picture"),
    ):
        path.write_text(content)
        with pytest.raises(DatasetError, match=complaint):
            open_fmow_rgb(root).read(SENSOR, np.array([3]))
    path.unlink()
    with pytest.raises(DatasetError, match=r"airport_0_1_rgb\.json cannot be read"):
        open_fmow_rgb(root).read(SENSOR, np.array([3]))


def test_unknown_categories_and_empty_folders_are_said(root, tmp_path_factory):
    write(root, "train/castle/castle_0/castle_0_0", picture(1), [box(0, 0, 9, 9)])
    with pytest.raises(DatasetError, match="'castle', which is no category of fMoW"):
        open_fmow_rgb(root)
    with pytest.raises(DatasetError, match="holds no picture"):
        open_fmow_rgb(tmp_path_factory.mktemp("empty"))
    with pytest.raises(DatasetError, match="is no folder"):
        open_fmow_rgb(root / "nowhere")
