import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from jepa_core.grid import Grid
from jepa_core.query_image import QueryImageError, read_query_image
from jepa_core.sensors import SENTINEL1, SENTINEL2
from tests.synthetic import cell, random_bands, write_patch


def write(path, pixels, names, resolution=10.0, crs="EPSG:32633"):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=pixels.shape[2],
        height=pixels.shape[1],
        count=len(pixels),
        dtype=pixels.dtype,
        crs=crs,
        transform=from_origin(300000, 5400000, resolution, resolution),
    ) as file:
        file.write(pixels)
        for i, name in enumerate(names, start=1):
            file.set_band_description(i, name)
    return path


def s1_pixels(side=120):
    return np.random.default_rng(0).normal(-12, 3, (2, side, side)).astype("float32")


def test_bands_are_taken_by_name_not_by_position(tmp_path):
    pixels = s1_pixels()
    path = write(tmp_path / "a.tif", pixels, ["VH", "VV"])
    np.testing.assert_array_equal(read_query_image(path, SENTINEL1, Grid()), pixels[::-1])


def test_the_middle_of_a_larger_image_is_taken(tmp_path):
    pixels = s1_pixels(200)
    path = write(tmp_path / "a.tif", pixels, ["VV", "VH"])
    np.testing.assert_array_equal(read_query_image(path, SENTINEL1, Grid()), pixels[:, 40:160, 40:160])


def test_a_coarser_image_is_brought_to_ten_metres(tmp_path):
    pixels = np.repeat(np.arange(-60, 0, dtype="float32")[None, None], 60, axis=1).repeat(2, axis=0)
    path = write(tmp_path / "a.tif", pixels, ["VV", "VH"], resolution=20.0)
    got = read_query_image(path, SENTINEL1, Grid())
    truth = np.interp(np.arange(120) * 10 + 5, np.arange(60) * 20 + 10, np.arange(-60, 0))
    assert np.abs(got[0, 60] - truth)[2:-2].max() < 0.01


def test_a_patch_folder_is_read_like_the_archive_reads_it(tmp_path):
    bands = random_bands(SENTINEL2, np.random.default_rng(0))
    folder = write_patch(tmp_path, SENTINEL2, "S2A_x_0_0", cell(0), bands)
    got = read_query_image(folder, SENTINEL2, Grid())
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got[SENTINEL2.positions(("B08",))[0]], bands["B08"])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "no.tif", "there is no file"),
        (lambda p: write(p / "a.tif", s1_pixels(), ["VV", ""]), "no band described as VH; .* VV"),
        (lambda p: write(p / "a.tif", s1_pixels(), []), "descriptions are empty"),
        (lambda p: write(p / "a.tif", s1_pixels(60), ["VV", "VH"]), "covers 600 x 600 m"),
        (lambda p: write(p / "a.tif", 10 ** (s1_pixels() / 10), ["VV", "VH"]), "linear power"),
        (lambda p: write(p / "a.tif", s1_pixels() * np.nan, ["VV", "VH"]), "no finite value"),
        (lambda p: write(p / "a.tif", half_empty(), ["VV", "VH"]), "has 33 % valid pixels"),
        (lambda p: broken(p / "a.tif"), "cannot be read as a raster"),
        (lambda p: p, r"0 files named \.\.\._VV\.tif"),
    ],
)
def test_what_cannot_be_a_query_says_why(tmp_path, make, says):
    with pytest.raises(QueryImageError, match=says):
        read_query_image(make(tmp_path), SENTINEL1, Grid())


def half_empty():
    pixels = s1_pixels()
    pixels[0, :80] = np.nan
    return pixels


@pytest.mark.parametrize(("value", "says"), [(0, "0 % valid"), (-500, "DN are 0 to 65535"), (70000, "DN are 0 to")])
def test_empty_negative_and_huge_values_are_not_taken_for_digital_numbers(tmp_path, value, says):
    path = write(tmp_path / "a.tif", np.full((12, 120, 120), value, "float32"), SENTINEL2.band_names)
    with pytest.raises(QueryImageError, match=says):
        read_query_image(path, SENTINEL2, Grid())


def test_the_file_s_own_nodata_is_honoured(tmp_path):
    pixels = s1_pixels()
    pixels[:, :20] = -9999
    path = write(tmp_path / "a.tif", pixels, ["VV", "VH"])
    with rasterio.open(path, "r+") as file:
        file.nodata = -9999
    got = read_query_image(path, SENTINEL1, Grid())
    assert np.isnan(got[:, :20]).all()
    np.testing.assert_array_equal(got[:, 20:], pixels[:, 20:])


def broken(path):
    path.write_bytes(b"no raster")
    return path


def test_reflectance_is_not_taken_for_digital_numbers(tmp_path):
    pixels = np.random.default_rng(0).uniform(0, 0.4, (12, 120, 120)).astype("float32")
    path = write(tmp_path / "a.tif", pixels, SENTINEL2.band_names)
    with pytest.raises(QueryImageError, match="reflectance"):
        read_query_image(path, SENTINEL2, Grid())
