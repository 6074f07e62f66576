"""Simulated Sentinel-2 products, opened with nothing but the formats' documents in hand."""

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from warnings import catch_warnings, simplefilter
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel2_pixels import SwathEdge
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.world import World

LEFT, TOP, SIZE = 300_000.0, 5_400_000.0, 2_400.0
TIME = datetime(2023, 8, 15, 9, 50, 31, 24_000, tzinfo=UTC)
PLACE = {"left": LEFT, "top": TOP, "size_m": SIZE, "time": TIME, "tile": "33TWM"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(3)


@pytest.fixture(scope="module")
def l2a(world, tmp_path_factory) -> Path:
    processed = datetime(2023, 8, 15, 15, 50, 57, tzinfo=UTC)
    return write_sentinel2_safe(tmp_path_factory.mktemp("l2a"), world, processed=processed, clouds=0.3, **PLACE)


def centres(file):
    columns, rows = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
    return file.transform.a * columns + file.transform.c, file.transform.e * rows + file.transform.f


def test_names_are_those_of_the_real_product(l2a):
    assert l2a.name == "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWM_20230815T155057.SAFE"
    # The real granule of that product is L2A_T33TWM_A042547_20230815T095630.
    granule = l2a / "GRANULE/L2A_T33TWM_A042547_20230815T095630"
    assert (granule / "IMG_DATA/R10m/T33TWM_20230815T095031_B02_10m.jp2").exists()
    tile = ElementTree.parse(granule / "MTD_TL.xml").getroot()
    assert tile.findtext(".//TILE_ID") == "S2A_OPER_MSI_L2A_TL_2APS_20230815T155057_A042547_T33TWM_N05.09"
    assert tile.findtext(".//DATASTRIP_ID") == "S2A_OPER_MSI_L2A_DS_2APS_20230815T155057_S20230815T095630_N05.09"
    assert tile.findtext(".//SENSING_TIME") == "2023-08-15T09:57:57.246Z"
    assert tile.findtext(".//HORIZONTAL_CS_CODE") == "EPSG:32633"
    sides = {s.get("resolution"): (s.findtext("NROWS"), s.findtext("NCOLS")) for s in tile.iter("Size")}
    assert sides == {"10": ("240", "240"), "20": ("120", "120"), "60": ("40", "40")}
    assert {p.findtext("ULY") for p in tile.iter("Geoposition")} == {"5400000"}


def test_product_metadata_say_how_to_read_values_and_which_files_there_are(l2a):
    root = ElementTree.parse(l2a / "MTD_MSIL2A.xml").getroot()
    assert root.tag == "{https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd}Level-2A_User_Product"
    assert root.findtext(".//PROCESSING_BASELINE") == "05.09"
    assert root.findtext(".//PRODUCT_START_TIME") == "2023-08-15T09:50:31.024Z"
    assert root.findtext(".//GENERATION_TIME") == "2023-08-15T15:50:57.000Z"
    assert root.findtext(".//SENSING_ORBIT_NUMBER") == "79"
    assert root.findtext(".//BOA_QUANTIFICATION_VALUE") == "10000"
    assert {o.get("band_id"): o.text for o in root.iter("BOA_ADD_OFFSET")} == {str(i): "-1000" for i in range(13)}
    bands = {s.get("bandId"): s.get("physicalBand") for s in root.iter("Spectral_Information")}
    assert (bands["0"], bands["8"], bands["12"]) == ("B1", "B8A", "B12")
    named = {f"{e.text}.jp2" for e in root.iter("IMAGE_FILE")}
    assert named == {p.relative_to(l2a).as_posix() for p in l2a.rglob("*.jp2")}
    assert len(named) == 7 + 14 + 15


def test_every_image_holds_the_world_at_its_pixel_centres(l2a, world):
    seen = set()
    for path in l2a.rglob("*_B*.jp2"):
        band, resolution = re.fullmatch(r".*_(B\w\w)_(\d\d)m", path.stem).groups()
        with rasterio.open(path) as file:
            assert (file.driver, file.dtypes, file.crs.to_epsg()) == ("JP2OpenJPEG", ("uint16",), 32633)
            assert file.bounds == (LEFT, TOP - SIZE, LEFT + SIZE, TOP)
            assert file.res == (int(resolution), int(resolution))
            truth = world.reflectance(band, *centres(file), 32633) * 10_000 + 1000
            assert np.abs(file.read(1) - truth).max() <= 0.5 + 1e-6
        seen.add(band)
    assert len(seen) == 12


def test_gdal_opens_it_as_what_it_is(l2a):
    with catch_warnings():
        simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(l2a / "MTD_MSIL2A.xml") as file:
            assert (file.driver, len(file.subdatasets)) == ("SENTINEL2", 4)
    with rasterio.open(f"SENTINEL2_L2A:{l2a}/MTD_MSIL2A.xml:20m:EPSG_32633") as file:
        assert file.shape == (120, 120)
        assert "B8A" in " ".join(file.descriptions)
        assert file.transform.c == LEFT


def test_classification_holds_clouds(l2a, world):
    with rasterio.open(next(l2a.rglob("*_SCL_20m.jp2"))) as file:
        assert file.dtypes == ("uint8",)
        assert (file.read(1) == world.scl(*centres(file), 32633, clouds=0.3)).all()


def test_manifest_names_every_file_with_its_size(l2a):
    root = ElementTree.parse(l2a / "manifest.safe").getroot()
    named = {s.find("fileLocation").get("href"): int(s.get("size")) for s in root.iter("byteStream")}
    files = [p for p in l2a.rglob("*") if p.is_file() and p.name != "manifest.safe"]
    assert named == {f"./{p.relative_to(l2a).as_posix()}": p.stat().st_size for p in files}


def test_before_baseline_4_there_is_no_offset(tmp_path):
    root = write_sentinel2_safe(tmp_path, ConstantWorld(), baseline="03.01", copies=False, **PLACE)
    assert "_N0301_" in root.name
    metadata = ElementTree.parse(root / "MTD_MSIL2A.xml").getroot()
    assert metadata.find(".//BOA_ADD_OFFSET_VALUES_LIST") is None
    with rasterio.open(next(root.rglob("*_B02_10m.jp2"))) as file:
        assert (file.read() == 600).all()


def test_level_1c_has_its_own_layout(tmp_path):
    root = write_sentinel2_safe(tmp_path, ConstantWorld(), level="L1C", **PLACE)
    assert root.name.startswith("S2A_MSIL1C_")
    metadata = ElementTree.parse(root / "MTD_MSIL1C.xml").getroot()
    assert metadata.findtext(".//QUANTIFICATION_VALUE") == "10000"
    assert {e.text for e in metadata.iter("RADIO_ADD_OFFSET")} == {"-1000"}
    images = sorted(p.name for p in root.glob("GRANULE/L1C_*/IMG_DATA/*.jp2"))
    assert len(images) == 13
    assert "T33TWM_20230815T095031_B10.jp2" in images
    with rasterio.open(next(root.rglob("*_B8A.jp2"))) as file:
        assert (file.read() == 2300).all()
        assert file.res == (20, 20)


def test_beyond_the_swath_edge_values_are_zero_each_band_a_little_elsewhere(tmp_path):
    edge = SwathEdge(start_m=900.0, slope=0.25, step_m=20.0)
    root = write_sentinel2_safe(tmp_path, ConstantWorld(), edge=edge, copies=False, **PLACE)
    first = {}
    for band in ("B02", "B03", "B04"):
        with rasterio.open(next(root.rglob(f"*_{band}_10m.jp2"))) as file:
            measured = file.read(1) > 0
            first[band] = measured.argmax(axis=1)
            assert (np.diff(measured.astype(int), axis=1) >= 0).all()
    assert (first["B03"] - first["B02"] == 2).all()
    assert first["B02"][0] == pytest.approx(92, abs=1)
    assert first["B02"][0] - first["B02"][-1] == pytest.approx(240 * 0.25, abs=1)
    with rasterio.open(next(root.rglob("*_SCL_20m.jp2"))) as file:
        assert file.read(1)[0, 0] == 0


def test_a_zip_file_holds_the_folder_and_the_same_arguments_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        path = write_sentinel2_safe(tmp_path / name, World(3), zipped=True, copies=False, **PLACE)
        assert path.name == "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWM_20230815T155031.zip"
        assert sorted(p.name for p in (tmp_path / name).iterdir()) == [path.name]
    with zipfile.ZipFile(path) as archive:
        assert f"{path.stem}.SAFE/MTD_MSIL2A.xml" in archive.namelist()
    assert (tmp_path / "a" / path.name).read_bytes() == (tmp_path / "b" / path.name).read_bytes()
