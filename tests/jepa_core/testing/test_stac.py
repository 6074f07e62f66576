"""Simulated catalogues, read with pystac and rasterio."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from numpy.testing import assert_allclose

from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel2_pixels import SwathEdge
from jepa_core.testing.stac_catalog import write_catalog
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
from jepa_core.testing.world import World

LEFT, TOP, SIZE = 300_000.0, 5_400_000.0, 2_400.0
TIME = datetime(2023, 8, 15, 9, 50, 31, 24_000, tzinfo=UTC)
PROCESSED = datetime(2023, 8, 15, 15, 50, 57, tzinfo=UTC)
PLACE = {"left": LEFT, "top": TOP, "size_m": SIZE, "time": TIME}
SCENE = PLACE | {"tile": "33TWM", "processed": PROCESSED}


@pytest.fixture(scope="module")
def world() -> World:
    return World(3)


def centres(file):
    columns, rows = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
    return file.transform.a * columns + file.transform.c, file.transform.e * rows + file.transform.f


def raster(path: Path, asset: dict):
    return rasterio.open(path.parent / asset["href"])


def first_value(path: Path, key: str) -> int:
    with raster(path, json.loads(path.read_text())["assets"][key]) as file:
        return int(file.read(1)[0, 0])


def test_earth_search_writes_what_the_real_item_of_that_scene_says(tmp_path, world):
    path = write_sentinel2_stac(tmp_path, world, **SCENE)
    content = json.loads(path.read_text())
    assert content["id"] == "S2A_33TWM_20230815_0_L2A"
    real = {
        "proj:epsg": 32633,
        "s2:processing_baseline": "05.09",
        "s2:product_uri": "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWM_20230815T155057.SAFE",
        "s2:generation_time": "2023-08-15T15:50:57.000000Z",
        "s2:datatake_id": "GS2A_20230815T095031_042547_N05.09",
        "s2:datastrip_id": "S2A_OPER_MSI_L2A_DS_2APS_20230815T155057_S20230815T095630_N05.09",
        "s2:granule_id": "S2A_OPER_MSI_L2A_TL_2APS_20230815T155057_A042547_T33TWM_N05.09",
        "platform": "sentinel-2a",
        "earthsearch:boa_offset_applied": True,
    }
    assert content["properties"].items() >= real.items()
    assert len(content["assets"]) == 13
    blue = content["assets"]["blue"]
    assert blue["raster:bands"][0]["offset"] == -0.1
    assert blue["eo:bands"][0]["common_name"] == "blue"
    assert blue["proj:transform"] == [10, 0, 300000, 0, -10, 5400000]
    for key, band in (("blue", "B02"), ("rededge2", "B06"), ("nir08", "B8A"), ("coastal", "B01")):
        with raster(path, content["assets"][key]) as file:
            assert list(file.shape) == content["assets"][key]["proj:shape"]
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            # The 1000 are out of these pixels, whatever the offset in raster:bands says.
            assert np.abs(file.read(1) - world.reflectance(band, *centres(file), 32633) * 10_000).max() < 0.501
    with raster(path, content["assets"]["scl"]) as file:
        assert (file.read(1) == world.scl(*centres(file), 32633)).all()


def test_planetary_computer_keeps_the_offset_and_does_not_speak_of_it(tmp_path):
    path = write_sentinel2_stac(tmp_path, ConstantWorld(), dialect="planetary-computer", **SCENE)
    content = json.loads(path.read_text())
    assert content["id"] == "S2A_MSIL2A_20230815T095031_R079_T33TWM_20230815T155057"
    assert {"B02", "B8A", "SCL"} < set(content["assets"])
    assert not any("raster:bands" in asset for asset in content["assets"].values())
    assert content["assets"]["B02"]["href"] == "T33TWM_20230815T095031_B02_10m.tif"
    assert first_value(path, "B02") == 1600
    old = write_sentinel2_stac(tmp_path, ConstantWorld(), dialect="planetary-computer", baseline="03.00", **SCENE)
    assert first_value(old, "B02") == 600


def test_what_pixels_hold_and_what_the_item_says_can_be_chosen(tmp_path):
    path = write_sentinel2_stac(
        tmp_path, ConstantWorld(), offset_in_pixels=True, says_applied=True, stated_offset=0.0, **SCENE
    )
    content = json.loads(path.read_text())
    assert content["properties"]["earthsearch:boa_offset_applied"] is True
    assert content["assets"]["red"]["raster:bands"][0]["offset"] == 0
    assert first_value(path, "blue") == 1600
    old = write_sentinel2_stac(tmp_path / "old", ConstantWorld(), baseline="02.14", **SCENE)
    assert json.loads(old.read_text())["properties"]["earthsearch:boa_offset_applied"] is False
    assert first_value(old, "blue") == 600


def test_rasters_may_be_coarser_than_the_item_says(tmp_path, world):
    edge = SwathEdge(600.0)
    path = write_sentinel2_stac(tmp_path, world, raster_m=120.0, edge=edge, **SCENE)
    asset = json.loads(path.read_text())["assets"]["red"]
    assert asset["proj:shape"] == [240, 240]
    with raster(path, asset) as file:
        assert file.shape == (20, 20)
        assert file.res == (120, 120)
        assert file.nodata == 0
        assert (file.read(1)[0, :4] == 0).all()
        assert (file.read(1)[:, 6:] > 0).all()


@pytest.mark.parametrize("dialect", ["earth-search", "planetary-computer"])
def test_stac_1_1_has_bands_and_a_code(tmp_path, dialect):
    path = write_sentinel2_stac(tmp_path, ConstantWorld(), dialect=dialect, stac_version="1.1.0", **SCENE)
    content = json.loads(path.read_text())
    assert content["properties"]["proj:code"] == "EPSG:32633"
    assert "proj:epsg" not in content["properties"]
    asset = content["assets"]["blue" if dialect == "earth-search" else "B02"]
    assert not {"eo:bands", "raster:bands"} & set(asset)
    assert asset["bands"][0]["eo:common_name"] == "blue"
    if dialect == "earth-search":
        assert (asset["raster:scale"], asset["raster:offset"], asset["data_type"]) == (0.0001, -0.1, "uint16")


def test_rtc_is_linear_or_says_that_it_is_not(tmp_path, world):
    linear = write_sentinel1_rtc(tmp_path, world, edge=SwathEdge(600.0), **PLACE)
    content = json.loads(linear.read_text())
    assert content["id"].startswith("S1A_IW_GRDH_1SDV_20230815T095031_20230815T095056_")
    assert content["id"].endswith("_rtc")
    assert content["properties"]["sat:orbit_state"] == "ascending"
    assert content["properties"]["proj:shape"] == [240, 240]
    assert content["properties"]["sar:polarizations"] == ["VV", "VH"]
    for key in ("vv", "vh"):
        with raster(linear, content["assets"][key]) as file:
            assert (file.dtypes, file.nodata) == (("float32",), -32768)
            image = file.read(1, masked=True)
            truth = world.sigma0(key.upper(), *centres(file), 32633)
            assert image.mask[0, :60].all()
            assert_allclose(image[:, 70:], truth[:, 70:], rtol=1e-6)
    assert "unit" not in content["assets"]["vv"]["raster:bands"][0]
    decibels = write_sentinel1_rtc(tmp_path / "db", world, decibels=True, stac_version="1.1.0", **PLACE)
    asset = json.loads(decibels.read_text())["assets"]["vv"]
    assert asset["unit"] == "dB"
    with raster(decibels, asset) as file:
        assert_allclose(file.read(1), 10 * np.log10(world.sigma0("VV", *centres(file), 32633)), atol=1e-4)


def test_a_static_catalogue_is_walked_by_pystac(tmp_path):
    scenes = tmp_path / "scenes"
    items = [
        write_sentinel2_stac(scenes, ConstantWorld(), **SCENE),
        write_sentinel2_stac(scenes, ConstantWorld(), dialect="planetary-computer", stac_version="1.1.0", **SCENE),
        write_sentinel1_rtc(scenes, ConstantWorld(), **PLACE),
    ]
    catalog = pystac.Catalog.from_file(str(write_catalog(tmp_path, items)))
    found = {item.id: item for item in catalog.get_items(recursive=True)}
    assert set(found) == {path.stem for path in items}
    radar = found[items[2].stem]
    assert radar.get_root() is catalog
    assert Path(radar.assets["vv"].get_absolute_href()).exists()
    assert radar.datetime == datetime(2023, 8, 15, 9, 50, 43, 534_000, tzinfo=UTC)
    assert radar.bbox[0] == pytest.approx(12.28, abs=0.01)


def test_the_same_arguments_give_the_same_files(tmp_path, world):
    for name in ("a", "b"):
        write_sentinel1_rtc(tmp_path / name, world, **PLACE)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 3
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
