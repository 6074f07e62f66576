"""DSRSID, on small files of its layout."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from jepa_core.datasets.dsrsid import CLASSES, MS, PAN, open_dsrsid
from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.datasets.registry import open_set

PAIRS = 80


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "DSRSID.mat", "w") as file:
        pan = rng.integers(0, 256, (PAIRS, 1, 256, 256), dtype=np.uint8)
        file.create_dataset("PAN_IMAGES", data=pan, chunks=(8, 1, 256, 256), compression="gzip", compression_opts=1)
        file["MUL_IMAGES"] = rng.integers(0, 256, (PAIRS, 4, 64, 64), dtype=np.uint8)
        file["LAND_COVER_TYPES"] = (np.arange(PAIRS) % 8 + 1.0)[None]
    return tmp_path / "DSRSID.mat"


def test_rows_of_both_sensors_are_the_pairs_of_the_file(path):
    found = open_dsrsid(path, PAIRS)
    assert found.sensors == (PAN, MS)
    assert found.classes == CLASSES
    rows = np.array([70, 3, 3, 11])
    with h5py.File(path) as file:
        for sensor, name in ((PAN, "PAN_IMAGES"), (MS, "MUL_IMAGES")):
            pixels = found.read(sensor, rows)
            assert pixels.dtype == np.uint8
            assert np.array_equal(pixels, np.stack([file[name][row] for row in rows]))
        red = found.read(MS.with_bands(["red"]), rows)
        assert np.array_equal(red[1, 0], file["MUL_IMAGES"][3, 2])
    assert found.read(PAN, np.array([], dtype=int)).shape == (0, 1, 256, 256)
    assert [found.label_names(row) for row in (0, 9)] == [("aquafarm",), ("cloud",)]


def test_the_split_has_equal_shares_of_each_class(path):
    found = open_dsrsid(path, PAIRS)
    assert Counter(found.splits.tolist()) == {"train": 56, "val": 8, "test": 16}
    assert found.labels[found.rows("test")].sum(axis=0).tolist() == [2] * 8


def test_threads_read_what_one_thread_reads(path):
    found = open_dsrsid(path, PAIRS)
    blocks = [np.arange(i, i + 4) for i in range(0, PAIRS, 4)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda rows: found.read(MS, rows), blocks))
    assert np.array_equal(np.concatenate(read), found.read(MS, np.arange(PAIRS)))


def test_the_folder_of_the_file_will_do(path):
    assert open_dsrsid(path.parent, PAIRS).version == open_dsrsid(path, PAIRS).version
    with pytest.raises(DatasetError, match=r"PAN_IMAGES of .*DSRSID\.mat is uint8 of shape \(80, 1, 256, 256\)"):
        open_set("dsrsid", path)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.full((1, PAIRS), 9.0), "are not 80 numbers from 1 to 8"),
        (np.full((1, PAIRS), 1.5), "are not 80 numbers from 1 to 8"),
        (np.ones((1, 3)), "are not 80 numbers from 1 to 8"),
        (None, r"is not DSRSID\.mat or is damaged"),
    ],
)
def test_labels_that_are_none_are_said(path, labels, complaint):
    with h5py.File(path, "a") as file:
        del file["LAND_COVER_TYPES"]
        if labels is not None:
            file["LAND_COVER_TYPES"] = labels
    with pytest.raises(DatasetError, match=complaint):
        open_dsrsid(path, PAIRS)


def test_missing_and_damaged_files_are_named(path, tmp_path):
    found = open_dsrsid(path, PAIRS)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DatasetError, match=r"DSRSID\.mat is not DSRSID\.mat or is damaged"):
        open_dsrsid(path, PAIRS)
    with pytest.raises(DatasetError, match=r"DSRSID\.mat cannot be read"):
        found.read(MS, np.array([1]))
    path.unlink()
    with pytest.raises(DatasetError, match=r"DSRSID\.mat is missing"):
        open_dsrsid(tmp_path, PAIRS)
