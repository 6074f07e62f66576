"""Real files of the kinds that people hold, where they are at hand."""

import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from jepa_core.archive.discover import Archive
from jepa_core.archive.sample import COMMON
from jepa_core.archive.scene import ArchiveError
from jepa_core.cutting import CLOUD_CLASSES, CutConfig
from jepa_core.extraction import extract
from jepa_core.grid import Grid
from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.patch_store import read_manifest, read_patches, read_pixels, read_quarantine
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from tests.jepa_core.radar.products import Image

REAL = Path(__file__).parents[3] / "shared" / "data" / "scenes"
EARTH_SEARCH = REAL / "earth-search"
SAFE = REAL / "safe"
HELD = ("B02", "B03", "B04", "B08")


def needs(path):
    if not path.exists():
        pytest.skip(f"the real files are not at {path}")


def test_two_dates_of_earth_search_with_the_bands_that_are_there(tmp_path):
    needs(EARTH_SEARCH)
    sensor = SENTINEL2.with_bands(HELD)
    store = Store.at(tmp_path)
    # Sixty metres a pixel: at ten the rasters, which have 120, only take longer.
    config = CutConfig(Grid(resolution_m=60.0))
    summary = extract(store, Archive(EARTH_SEARCH).sources(sensor), sensor, config)
    assert (summary.scenes, summary.scenes_quarantined) == (2, 0)
    manifest = read_manifest(store, sensor).set_index("scene_id")
    # The items state -0.1 and, rightly, that it was applied: the darkest of these pixels is 1.
    assert set(manifest["offset_dn"]) == {0.0}
    assert set(manifest["baseline"]) == {"05.09"}
    patches = read_patches(store, sensor)
    # The tile is 109.8 km wide, whatever the item says of the rasters' pixels.
    assert (patches["xmin"].min(), patches["xmax"].max()) == (496_800, 612_000)
    assert (patches["ymin"].min(), patches["ymax"].max()) == (5_090_400, 5_205_600)
    some = patches[(patches["valid_fraction"] == 1)].iloc[::50]
    pixels = read_pixels(store, sensor, some).astype(float)
    for row, patch in zip(some.itertuples(), pixels, strict=True):
        for position, band in enumerate(HELD):
            with rasterio.open(EARTH_SEARCH / row.scene_id / f"{band}.tif") as file:
                assert file.res == (120.0, 120.0)
                window = rasterio.windows.from_bounds(row.xmin, row.ymin, row.xmax, row.ymax, file.transform)
                truth = file.read(1, window=window.round_offsets().round_lengths()).astype(float)
            # Four pixels of a patch to one of the file's: means agree but for the rim's interpolation.
            assert patch[position].mean() == pytest.approx(truth.mean(), rel=0.02)
    for scene_id, group in patches.groupby("scene_id"):
        with rasterio.open(EARTH_SEARCH / scene_id / "SCL.tif") as file:
            classes = file.read(1)
        share = np.isin(classes[classes > 0], CLOUD_CLASSES).mean()
        weighted = np.average(group["cloud_fraction"], weights=group["valid_fraction"])
        assert weighted == pytest.approx(share, abs=0.002)


def test_the_bands_that_are_elsewhere_are_missed_by_name(tmp_path):
    needs(EARTH_SEARCH)
    item = EARTH_SEARCH / "S2A_33TWM_20230815_0_L2A"
    archive = tmp_path / "archive"
    shutil.copytree(item, archive / item.name)
    (archive / item.name / "B03.tif").unlink()
    sensor = SENTINEL2.with_bands(HELD)
    with pytest.raises(ArchiveError, match=r"there is no file .*B03\.tif"):
        extract(Store.at(tmp_path / "data"), Archive(archive).sources(sensor), sensor, CutConfig())


def test_a_real_ground_range_product_is_read_up_to_its_blank_pixels(tmp_path):
    needs(SAFE)
    (product,) = SAFE.glob("*.SAFE")
    sensor = SENTINEL1.with_bands(["VV"])
    store = Store.at(tmp_path / "data")
    # It came without calibration, which is said; nothing is guessed in its place.
    with pytest.raises(ArchiveError, match="has no calibration file of band VV"):
        extract(store, Archive(SAFE).sources(sensor), sensor, CutConfig())
    assert product.name in read_quarantine(store, sensor)["place"][0]
    scene = Archive(calibrated(product, tmp_path / "archive")).sources(sensor)[0].read()
    band = scene.rasters["VV"]
    assert (scene.product.orbit_pass, scene.product.relative_orbit) == ("descending", 168)
    assert scene.product.baseline == "003.31"
    assert (band.annotation.lines, band.annotation.samples) == (16685, 25788)


def test_the_six_geotiff_pairs_of_a_wheel_are_cut_and_paired(wheels, tmp_path):
    with zipfile.ZipFile(wheels / COMMON.file_name) as wheel:
        for number in (1, 2):
            with (
                wheel.open(f"bigearthnet_common/BigEarthNet-S{number}-Example.tar.bz2") as packed,
                tarfile.open(fileobj=packed, mode="r:bz2") as tar,
            ):
                tar.extractall(tmp_path / "archive", filter="data")
    store = Store.at(tmp_path / "data")
    for sensor in (SENTINEL1, SENTINEL2):
        summary = extract(store, Archive(tmp_path / "archive").sources(sensor), sensor, CutConfig())
        assert (summary.patches, summary.share_quarantined) == (6, 0)
    a, b = (read_patches(store, sensor) for sensor in (SENTINEL1, SENTINEL2))
    assert len(pair_patches(a, b, PairingConfig())) == 6
    assert all(len(labels) for labels in a["labels"])


def calibrated(product, archive):
    """A copy of the product with the tables that it came without."""
    copy = shutil.copytree(product, archive / product.name)
    stem = next(copy.glob("annotation/*-vv-*.xml")).name
    (copy / "annotation" / "calibration").mkdir()
    (copy / "annotation" / "calibration" / f"calibration-{stem}").write_bytes(Image().calibration())
    return archive


@pytest.mark.slow
def test_the_blank_pixels_of_a_real_ground_range_product_are_cut_to_the_floor(tmp_path):
    needs(SAFE)
    (product,) = SAFE.glob("*.SAFE")
    sensor = SENTINEL1.with_bands(["VV"])
    store = Store.at(tmp_path / "data")
    archive = Archive(calibrated(product, tmp_path / "archive"))
    summary = extract(store, archive.sources(sensor), sensor, CutConfig())
    # 167 by 250 km less the edges, in cells of 1.44 square kilometres.
    assert 25_000 < summary.patches < 31_000
    some = read_patches(store, sensor).iloc[::1000]
    pixels = read_pixels(store, sensor, some)
    # Every pixel is 1, far below any noise.
    assert np.nanmax(pixels) < -45
    assert np.nanmin(pixels) >= -50
