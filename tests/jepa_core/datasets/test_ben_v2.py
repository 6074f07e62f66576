"""BigEarthNet v2 in its own layout."""

import hashlib
import shutil
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import rasterio

from jepa_core.datasets.ben_v2 import open_ben_v2
from jepa_core.datasets.labelled_set import DatasetError, pixels_note
from jepa_core.datasets.registry import open_set
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.testing.bigearthnet import PatchPair, write_bigearthnet
from jepa_core.testing.world import World


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("ben")
    write_bigearthnet(
        root,
        World(3),
        [PatchPair(26, 57), PatchPair(27, 57, "validation"), PatchPair(30, 2, "test")],
        time_s2=datetime(2017, 6, 13, 10, 10, 31, tzinfo=UTC),
        time_s1=datetime(2017, 6, 13, 16, 50, 43, tzinfo=UTC),
    )
    return root


@pytest.fixture
def root(made, tmp_path):
    return shutil.copytree(made, tmp_path / "ben")


def test_rows_are_those_of_the_table_with_its_splits_and_labels(made):
    found = open_set("ben-v2", made)
    table = pd.read_parquet(made / "metadata.parquet").set_index("patch_id")
    assert sorted(found.ids) == sorted(table.index)
    for row, name in enumerate(found.ids):
        assert found.splits[row] == {"validation": "val"}.get(table.split[name], table.split[name])
        assert set(found.label_names(row)) == set(table.labels[name])
    assert any("metadata.parquet is not the published one: it lists 3 pairs" in note for note in found.notes)
    md5 = hashlib.md5((made / "metadata.parquet").read_bytes()).hexdigest()
    assert not any("published" in note for note in open_ben_v2(made, metadata_md5=md5).notes)
    assert pixels_note("ben-v2") in found.notes


def test_both_sensors_of_a_row_are_its_pair(made):
    found = open_ben_v2(made)
    table = pd.read_parquet(made / "metadata.parquet").set_index("patch_id")
    for row, name in enumerate(found.ids):
        for sensor, patch, band in ((SENTINEL1, table.s1_name[name], "VV"), (SENTINEL2, name, "B08")):
            (path,) = made.rglob(f"{patch}_{band}.tif")
            with rasterio.open(path) as file:
                expected = file.read(1)
            pixels = found.read(sensor, np.array([row]))[0, sensor.positions([band])[0]]
            assert np.array_equal(pixels, expected)


def test_missing_patches_and_tables_are_said(root):
    (folder,) = root.rglob("S1A*_30_2")
    shutil.rmtree(folder)
    with pytest.raises(DatasetError, match=r"1 of the 3 sentinel1 patches of ben-v2 are missing .*_30_2 first"):
        open_ben_v2(root)
    (root / "metadata.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="is not the metadata of BigEarthNet v2"):
        open_ben_v2(root)
    (root / "metadata.parquet").unlink()
    with pytest.raises(DatasetError, match=r"metadata\.parquet is missing"):
        open_ben_v2(root)
