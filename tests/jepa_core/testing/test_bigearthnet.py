"""Simulated BigEarthNet v2."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import rasterio

from jepa_core.testing.bigearthnet import PatchPair, write_bigearthnet
from jepa_core.testing.world import World

TIMES = {
    "time_s2": datetime(2017, 6, 13, 10, 10, 31, tzinfo=UTC),
    "time_s1": datetime(2017, 6, 13, 16, 50, 43, tzinfo=UTC),
}
S2 = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
S1 = "S1A_IW_GRDH_1SDV_20170613T165043"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("ben")
    write_bigearthnet(root, World(3), [PatchPair(26, 57), PatchPair(27, 57, "validation")], **TIMES)
    write_bigearthnet(root, World(3), [PatchPair(30, 2, "test")], **TIMES)
    return root


def test_table_has_the_columns_of_the_set(root):
    table = pd.read_parquet(root / "metadata.parquet")
    assert list(table.columns) == [
        "patch_id",
        "labels",
        "split",
        "country",
        "s1_name",
        "s2v1_name",
        "contains_seasonal_snow",
        "contains_cloud_or_shadow",
    ]
    first = table.iloc[0]
    assert first.patch_id == f"{S2}_26_57"
    assert first.s1_name == f"{S1}_33UUP_26_57"
    assert first.s2v1_name == "S2A_MSIL2A_20170613T101031_26_57"
    assert list(table.split) == ["train", "validation", "test"]
    assert all(len(labels) > 0 for labels in table.labels)


def test_patches_hold_the_world_where_they_say_they_are(root):
    world = World(3)
    folder = root / "BigEarthNet-S2" / S2 / f"{S2}_26_57"
    sides = {}
    for path in folder.iterdir():
        band = path.stem.rsplit("_", 1)[1]
        with rasterio.open(path) as file:
            sides[band] = file.width
            assert file.crs.to_epsg() == 32633
            assert tuple(file.bounds) == (331_200, 5_330_400, 332_400, 5_331_600)
            columns, rows = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
            x, y = 331_200 + columns * file.res[0], 5_331_600 - rows * file.res[1]
            assert np.abs(file.read(1) - world.reflectance(band, x, y, 32633) * 10_000).max() < 0.501
    assert len(sides) == 12
    assert (sides["B02"], sides["B8A"], sides["B09"]) == (120, 60, 20)
    for polarisation in ("VV", "VH"):
        with rasterio.open(root / f"BigEarthNet-S1/{S1}/{S1}_33UUP_26_57/{S1}_33UUP_26_57_{polarisation}.tif") as file:
            assert file.dtypes == ("float32",)
            x, y = np.meshgrid(331_205 + 10.0 * np.arange(120), 5_331_595 - 10.0 * np.arange(120))
            truth = 10 * np.log10(world.sigma0(polarisation, x, y, 32633))
            assert np.abs(file.read(1) - truth).max() < 1e-4
