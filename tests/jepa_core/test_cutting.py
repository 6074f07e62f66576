import csv
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError, BandRaster, Scene
from jepa_core.cutting import CutConfig, valid_mask
from jepa_core.cutting import cut as cut_scene
from jepa_core.extraction import extract
from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store

TERRAMESH = Path(__file__).parents[3] / "shared" / "data" / "scenes" / "terramesh"


def write(path, pixels, left, top, resolution, crs="EPSG:32633", nodata=None):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=pixels.shape[2],
        height=pixels.shape[1],
        count=len(pixels),
        dtype=pixels.dtype,
        crs=crs,
        transform=from_origin(left, top, resolution, resolution),
        nodata=nodata,
    ) as file:
        file.write(pixels)
    return path


def scene(path, sensor=SENTINEL1, unit=None, nodata=None, numbers=None):
    """A scene whose bands all lie in one file, in the sensor's order unless numbered otherwise."""
    numbers = numbers or range(1, len(sensor.bands) + 1)
    rasters = {
        band.name: BandRaster(str(path), unit or band.unit, number, nodata=nodata)
        for band, number in zip(sensor.bands, numbers, strict=True)
    }
    return Scene("scene", sensor, datetime(2020, 1, 1, tzinfo=UTC), rasters=rasters)


def cut(scene, config=None):
    """Patches of a scene that has no faults."""
    faults = []
    yield from cut_scene(scene, config or CutConfig(), faults)
    assert faults == []


def test_a_scene_on_the_grid_is_cut_to_the_bit_without_interpolation(tmp_path):
    pixels = np.random.default_rng(0).normal(-12, 4, (2, 240, 360)).astype("float32")
    patches = list(cut(scene(write(tmp_path / "a.tif", pixels, 600_000, 5_400_000, 10.0))))
    assert len(patches) == 6
    for patch in patches:
        column = int(patch.cell.xmin - 600_000) // 10
        row = int(5_400_000 - patch.cell.ymax) // 10
        np.testing.assert_array_equal(patch.pixels, pixels[:, row : row + 120, column : column + 120])
        assert patch.valid_fraction == 1
        assert patch.name == f"scene_{patch.cell.id}"


def ramp_error(patch, epsg, x_of, scale):
    """Largest distance, in pixels of 10 m, between where a pixel's value says it lies and where it lies."""
    xs = patch.cell.xmin + 10 * (np.arange(120) + 0.5)
    ys = patch.cell.ymax - 10 * (np.arange(120) + 0.5)
    gx, gy = np.meshgrid(xs, ys)
    truth = x_of(gx.ravel(), gy.ravel(), epsg).reshape(120, 120)
    valid = valid_mask(patch.pixels, SENTINEL1)
    return np.abs(patch.pixels[0] - truth)[valid].max() / scale


def test_a_scene_off_the_grid_and_of_another_resolution_lies_where_it_lay(tmp_path):
    # As TerraMesh's sites do: an origin that is no multiple of the pixel. Values are metres east, less an offset.
    for resolution, off in ((10.0, 3.17), (20.0, 7.3), (60.0, 11.9)):
        side = int(6000 / resolution)
        left = 600_000 + off
        east = (left + (np.arange(side) + 0.5) * resolution - 600_000) / 100 - 50
        pixels = np.broadcast_to(east, (2, side, side)).astype("float32")
        patches = list(cut(scene(write(tmp_path / f"{resolution}.tif", pixels, left, 5_406_000 - off, resolution))))
        # At the scene's rim there is nothing to interpolate towards.
        rim = left + resolution
        inner = [p for p in patches if p.cell.xmin > rim and p.cell.xmax < left + 6000 - resolution]
        assert len(inner) >= 9
        for patch in inner:
            # A ramp of one unit per 100 m: a tenth of a pixel is 0.01.
            error = ramp_error(patch, 32633, lambda x, y, _: (x - 600_000) / 100 - 50, scale=0.1)
            assert error < 0.1


def test_a_scene_in_degrees_is_brought_to_its_utm_zone(tmp_path):
    resolution = 0.0001
    lon = 15.0 + (np.arange(500) + 0.5) * resolution
    pixels = np.broadcast_to((lon - 15.0) * 1000 - 50, (2, 400, 500)).astype("float32")
    patches = list(cut(scene(write(tmp_path / "a.tif", pixels, 15.0, 48.0, resolution, crs="EPSG:4326"))))
    inner = [p for p in patches if p.valid_fraction == 1]
    assert inner
    assert {p.cell.epsg for p in patches} == {32633}

    def longitude(x, y, epsg):
        found, _ = transform(f"EPSG:{epsg}", "EPSG:4326", x, y)
        return (np.array(found) - 15.0) * 1000 - 50

    # Ten metres are about 0.134 of these units at this latitude.
    assert max(ramp_error(patch, 32633, longitude, 0.134) for patch in inner) < 0.1


def test_bands_come_by_name_from_wherever_the_table_says(tmp_path):
    pixels = np.random.default_rng(0).normal(-12, 4, (2, 120, 120)).astype("float32")
    (patch,) = cut(scene(write(tmp_path / "a.tif", pixels, 600_000, 5_400_000, 10.0), numbers=(2, 1)))
    np.testing.assert_array_equal(patch.pixels, pixels[::-1])


def test_units_are_converted_once_and_zero_power_is_no_measurement(tmp_path):
    decibels = np.random.default_rng(0).normal(-12, 4, (2, 120, 120))
    power = (10 ** (decibels / 10)).astype("float32")
    power[:, :30] = 0
    path = write(tmp_path / "a.tif", power, 600_000, 5_400_000, 10.0)
    (patch,) = cut(scene(path, unit="linear"))
    assert patch.valid_fraction == 0.75
    assert np.isnan(patch.pixels[:, :30]).all()
    np.testing.assert_allclose(patch.pixels[:, 30:], decibels[:, 30:], atol=1e-4)
    reflectance = np.random.default_rng(1).uniform(0.01, 0.4, (12, 120, 120)).astype("float32")
    path = write(tmp_path / "b.tif", reflectance, 600_000, 5_400_000, 10.0)
    (patch,) = cut(scene(path, SENTINEL2, unit="reflectance"))
    assert patch.pixels.dtype == np.uint16
    np.testing.assert_allclose(patch.pixels, reflectance * 10_000, atol=0.51)


@pytest.mark.parametrize("tagged", [True, False])
def test_nodata_of_the_file_or_of_the_table_is_missing_and_does_not_bleed(tmp_path, tagged):
    pixels = np.full((12, 240, 240), 1000, "int16")
    pixels[:, :, :100] = -999
    path = write(tmp_path / "a.tif", pixels, 600_000, 5_400_000, 10.0, nodata=-999 if tagged else None)
    patches = list(cut(scene(path, SENTINEL2, nodata=None if tagged else -999.0)))
    assert sorted(p.valid_fraction for p in patches) == pytest.approx([1 / 6, 1 / 6, 1, 1])
    for patch in patches:
        assert set(np.unique(patch.pixels)) <= {0, 1000}


def test_a_saturated_pixel_of_a_coarse_band_is_missing_and_does_not_bleed(tmp_path):
    pixels = np.full((12, 120, 120), 2000, "uint16")
    pixels[4, 60, 60] = 65535
    path = write(tmp_path / "a.tif", pixels, 600_000, 5_402_400, 20.0)
    patches = list(cut(scene(path, SENTINEL2)))
    assert len(patches) == 4
    for patch in patches:
        assert set(np.unique(patch.pixels)) <= {0, 2000}
    assert sum((patch.pixels[4] == 0).sum() for patch in patches) >= 4


def test_zero_power_at_a_fringe_off_the_grid_does_not_bleed(tmp_path):
    power = np.full((2, 300, 300), 0.01, "float32")
    power[:, :, :40] = 0
    for patch in cut(scene(write(tmp_path / "a.tif", power, 600_003, 5_403_003, 10.0), unit="linear")):
        measured = patch.pixels[np.isfinite(patch.pixels)]
        np.testing.assert_allclose(measured, -20.0, atol=1e-3)


def test_a_scene_of_the_neighbouring_zone_lies_where_it_lay(tmp_path):
    # Metres east in zone 33, read off in the cells of zone 34: the warper's tolerance must not show.
    east = (np.arange(3000) + 0.5) * 10
    pixels = np.broadcast_to(east / 100 - 300, (2, 200, 3000)).astype("float32")
    patches = list(cut(scene(write(tmp_path / "a.tif", pixels, 715_000, 5_402_000, 10.0))))
    inner = [p for p in patches if p.cell.epsg == 32634 and p.valid_fraction == 1]
    assert len(inner) > 5

    def in_zone_33(x, y, epsg):
        found, _ = transform(f"EPSG:{epsg}", "EPSG:32633", x, y)
        return (np.array(found) - 715_000) / 100 - 300

    assert max(ramp_error(patch, 32634, in_zone_33, 0.1) for patch in inner) < 0.1


def test_cells_with_next_to_nothing_in_them_make_no_patch(tmp_path):
    pixels = np.full((2, 120, 124), -12, "float32")
    patches = list(cut(scene(write(tmp_path / "a.tif", pixels, 600_000, 5_400_000, 10.0))))
    assert len(patches) == 1


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[: 240 * 240 * 4]), "cannot be read"),
        (lambda p: p.write_bytes(b""), "cannot be read"),
        (lambda p: write(p, np.ones((1, 9, 9), "float32"), 500_000, 10**6, 10.0), "has 1 bands, not a band number 2"),
        (lambda p: write(p, np.ones((2, 9, 9), "float32"), 0, 0, 10.0, crs=None), "no coordinate reference system"),
    ],
)
def test_what_cannot_be_cut_names_its_file(tmp_path, harm, says):
    path = write(tmp_path / "a.tif", np.ones((2, 240, 240), "float32"), 600_000, 5_400_000, 10.0)
    harm(path)
    with pytest.raises(ArchiveError, match=says) as error:
        list(cut(scene(path)))
    assert "a.tif" in str(error.value)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_terramesh_sites_are_cut_and_paired(tmp_path):
    if not TERRAMESH.exists():
        pytest.skip(f"the real sites are not at {TERRAMESH}")
    order = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
    archive = Path(shutil.copytree(TERRAMESH, tmp_path / "archive"))
    with (archive / "scenes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["scene", "sensor", "time", "band", "file", "number", "unit", "nodata"])
        for site in sorted(path.name for path in archive.iterdir() if path.is_dir()):
            for i, band in enumerate(["VV", "VH"], 1):
                row = [f"{site}-s1", "s1", "2020-06-01T05:00:00Z", band, f"{site}/S1RTC_VV_VH.tif", i, "dB", ""]
                table.writerow(row)
            for i, band in enumerate(order, 1):
                row = [f"{site}-s2", "s2", "2020-06-01T10:00:00Z", band, f"{site}/S2L2A_12band.tif", i, "DN", ""]
                table.writerow(row)
    store = Store.at(tmp_path / "data")
    for sensor in (SENTINEL1, SENTINEL2):
        assert extract(store, Archive(archive).sources(sensor), sensor, CutConfig()).scenes == 4
    a, b = (read_patches(store, sensor) for sensor in (SENTINEL1, SENTINEL2))
    assert set(a["cell_id"]) == set(b["cell_id"])
    # The site of zone 16 lies past the border of its zone: its cells are those of zone 17.
    assert set(a["crs"]) == {"EPSG:32736", "EPSG:32718", "EPSG:32617", "EPSG:32632"}
    pairs = pair_patches(a, b, PairingConfig())
    assert pairs["days_apart"].abs().max() == pytest.approx(5 / 24)
    assert len({cell.split("-")[0] for cell in pairs["cell_id"]}) == 4
    # Interpolation to the grid keeps what a site measures on the whole.
    for sensor, patches, name in ((SENTINEL1, a, "S1RTC_VV_VH"), (SENTINEL2, b, "S2L2A_12band")):
        whole = patches[patches["scene_id"].str.startswith("637U") & (patches["valid_fraction"] > 0.3)]
        pixels = read_pixels(store, sensor, whole).astype(float)
        pixels = np.where(valid_mask(pixels, sensor)[:, None], pixels, np.nan)
        with rasterio.open(archive / "637U_59R_1_3" / f"{name}.tif") as file:
            truth = file.read(1).astype(float)
        assert abs(np.nanmedian(pixels[:, 0]) - np.median(truth)) < 0.2 * truth.std()
