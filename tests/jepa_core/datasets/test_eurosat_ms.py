"""EuroSAT with all bands of Sentinel-2."""

import zipfile

import numpy as np
import pytest
import rasterio

from jepa_core.datasets.eurosat import Expected
from jepa_core.datasets.eurosat_ms import open_eurosat_ms
from jepa_core.datasets.eurosat_rgb import open_eurosat_rgb
from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.datasets.rasters import SENTINEL2_L1C
from tests.jepa_core.datasets.conftest import jpeg, picture, write_raster, zip_of

EXPECTED = Expected({"Forest": 10, "River": 10}, md5="")

AS_IN_THE_FILES = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in EXPECTED.counts.items():
        for n in range(1, count + 1):
            pixels = rng.integers(1, 5000, (13, 64, 64)).astype("uint16")
            write_raster(tmp_path / "EuroSAT_MS" / name / f"{name}_{n}.tif", pixels)
    return tmp_path / "EuroSAT_MS"


def test_sensor_has_the_thirteen_bands_by_wavelength():
    names = "B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B10 B11 B12"
    assert " ".join(SENTINEL2_L1C.band_names) == names


def test_bands_are_taken_from_where_the_files_have_them(folder):
    found = open_eurosat_ms(folder, EXPECTED)
    row = found.ids.tolist().index("River_7")
    pixels = found.read(SENTINEL2_L1C, np.array([row]))[0]
    with rasterio.open(folder / "River" / "River_7.tif") as file:
        for i, name in enumerate(SENTINEL2_L1C.band_names):
            assert np.array_equal(pixels[i], file.read(AS_IN_THE_FILES.index(name) + 1)), name


def test_a_zip_file_is_the_same_set_and_the_split_that_of_the_pictures(folder, tmp_path):
    found = open_eurosat_ms(folder, EXPECTED)
    packed = open_eurosat_ms(zip_of(folder, tmp_path / "EuroSAT_MS.zip", zipfile.ZIP_DEFLATED), EXPECTED)
    assert packed.version == found.version
    assert np.array_equal(packed.read(SENTINEL2_L1C, np.arange(3)), found.read(SENTINEL2_L1C, np.arange(3)))
    for name in found.ids:
        path = tmp_path / "EuroSAT_RGB" / name.split("_")[0] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(picture(0)))
    pictures = open_eurosat_rgb(tmp_path / "EuroSAT_RGB", EXPECTED)
    assert pictures.ids.tolist() == found.ids.tolist()
    assert pictures.splits.tolist() == found.splits.tolist()


def test_damaged_files_are_named_when_they_are_read(folder):
    write_raster(folder / "Forest" / "Forest_1.tif", np.ones((12, 64, 64), dtype="uint16"))
    write_raster(folder / "Forest" / "Forest_2.tif", np.ones((13, 60, 64), dtype="uint16"))
    (folder / "Forest" / "Forest_3.tif").write_bytes(b"II*\0")
    found = open_eurosat_ms(folder, EXPECTED)
    row = found.ids.tolist().index
    for name, complaint in (
        ("Forest_1", r"Forest_1\.tif has 12 bands, not 13"),
        ("Forest_2", r"Forest_2\.tif is of shape \(13, 60, 64\)"),
        ("Forest_3", r"Forest_3\.tif cannot be read as a raster"),
    ):
        with pytest.raises(DatasetError, match=complaint):
            found.read(SENTINEL2_L1C, np.array([row(name)]))
