"""Simulated Sentinel-1 products, opened with nothing but the format's documents in hand."""

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_allclose

from jepa_core.testing.geometry import Swath
from jepa_core.testing.place import LONLAT, PixelGrid, to_epsg
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel1_safe import write_sentinel1_safe
from jepa_core.testing.world import World

LINES, SAMPLES = 400, 700
TIME = datetime(2021, 4, 1, 5, 26, 23, 794_457, tzinfo=UTC)
PLACE = {"longitude": 12.4, "latitude": 48.7, "lines": LINES, "samples": SAMPLES, "time": TIME}
DESCENDING = {"direction": "descending", "platform": "S1B", "relative_orbit": 168}


@pytest.fixture(scope="module")
def world() -> World:
    return World(3)


@pytest.fixture(scope="module")
def product(world, tmp_path_factory) -> Path:
    return write_sentinel1_safe(tmp_path_factory.mktemp("s1"), world, gain=50.0, **DESCENDING, **PLACE)


def xml(root: Path, pattern: str) -> ElementTree.Element:
    (path,) = root.glob(pattern)
    return ElementTree.parse(path).getroot()


def numbers(element: ElementTree.Element, tag: str) -> np.ndarray:
    found = element.find(tag)
    values = np.array(found.text.split(), dtype=float)
    assert len(values) == int(found.get("count"))
    return values


def pixels(root: Path, polarisation: str) -> np.ndarray:
    (path,) = root.glob(f"measurement/*-{polarisation}-*.tiff")
    with rasterio.open(path) as file:
        assert (file.dtypes, file.block_shapes) == (("uint16",), [(1, file.width)])
        assert file.compression is None
        return file.read(1)


def table(root: ElementTree.Element, vector: str, lut: str) -> np.ndarray:
    """A table at every pixel, interpolated as the specification says."""
    vectors = list(root.iter(vector))
    lines = [int(v.findtext("line")) for v in vectors]
    assert lines[0] == 0
    assert lines[-1] >= LINES - 1
    columns = np.arange(SAMPLES)
    rows = np.array([np.interp(columns, numbers(v, "pixel"), numbers(v, lut)) for v in vectors])
    return np.array([np.interp(np.arange(LINES), lines, rows[:, c]) for c in columns]).T


def sigma0_db(root: Path, polarisation: str) -> np.ndarray:
    """Calibrated and denoised by the product's own tables."""
    calibration = xml(root, f"annotation/calibration/calibration-*-{polarisation}-*.xml")
    noise = xml(root, f"annotation/calibration/noise-*-{polarisation}-*.xml")
    old = noise.find("noiseVectorList") is not None
    tag, lut = ("noiseVector", "noiseLut") if old else ("noiseRangeVector", "noiseRangeLut")
    power = table(noise, tag, lut)
    for vector in noise.iter("noiseAzimuthVector"):
        first, last = (int(vector.findtext(f"{end}RangeSample")) for end in ("first", "last"))
        factor = np.interp(np.arange(LINES), numbers(vector, "line"), numbers(vector, "noiseAzimuthLut"))
        power[:, first : last + 1] *= factor[:, None]
    denoised = pixels(root, polarisation).astype(float) ** 2 - power
    return 10 * np.log10(denoised / table(calibration, "calibrationVector", "sigmaNought") ** 2)


def truth_db(world: World, swath: Swath, polarisation: str) -> np.ndarray:
    line, sample = np.mgrid[:LINES, :SAMPLES].astype(float)
    return 10 * np.log10(world.sigma0(polarisation, *swath.place(line, sample), swath.epsg))


def test_names_are_those_of_the_real_product_of_that_time(product):
    pattern = r"S1B_IW_GRDH_1SDV_20210401T052623_20210401T052624_026269_032297_[0-9A-F]{4}\.SAFE"
    assert re.fullmatch(pattern, product.name)
    files = {p.relative_to(product).as_posix() for p in product.rglob("*") if p.is_file()}
    base = "s1b-iw-grd-{}-20210401t052623-20210401t052624-026269-032297-{}"
    for name in (base.format("vv", "001"), base.format("vh", "002")):
        assert f"annotation/{name}.xml" in files
        assert f"annotation/calibration/calibration-{name}.xml" in files
        assert f"annotation/calibration/noise-{name}.xml" in files
        assert f"measurement/{name}.tiff" in files
    assert len(files) == 9


def test_manifest_tells_orbit_processor_and_files(product):
    root = xml(product, "manifest.safe")
    safe = "{http://www.esa.int/safe/sentinel-1.0}"
    assert {e.text for e in root.iter(f"{safe}relativeOrbitNumber")} == {"168"}
    assert root.findtext(".//{http://www.esa.int/safe/sentinel-1.0/sentinel-1}pass") == "DESCENDING"
    assert root.findtext(f".//{safe}startTime") == "2021-04-01T05:26:23.794457"
    assert root.find(f".//{safe}software").get("version") == "003.31"
    for stream in root.iter("byteStream"):
        path = product / stream.find("fileLocation").get("href")
        assert path.stat().st_size == int(stream.get("size"))


def test_annotation_gives_size_and_places(product):
    root = xml(product, "annotation/*-vv-*.xml")
    image = root.find("imageAnnotation/imageInformation")
    assert (image.findtext("numberOfLines"), image.findtext("numberOfSamples")) == (str(LINES), str(SAMPLES))
    assert float(image.findtext("rangePixelSpacing")) == 10
    assert root.findtext("generalAnnotation/productInformation/pass") == "Descending"
    swath = Swath.around(12.4, 48.7, "descending", LINES, SAMPLES)
    points = list(root.iter("geolocationGridPoint"))
    assert len(points) == 210
    line, sample, longitude, latitude = (
        np.array([float(p.findtext(tag)) for p in points]) for tag in ("line", "pixel", "longitude", "latitude")
    )
    assert (line.max(), sample.max()) == (LINES - 1, SAMPLES - 1)
    assert_allclose(np.array(swath.lonlat(line, sample)), [longitude, latitude], atol=1e-9)
    # As in the real product: near range in the east, and time runs south.
    assert longitude[0] > longitude[20]
    assert latitude[0] > latitude[-1]
    with rasterio.open(next(product.glob("measurement/*-vv-*"))) as file:
        points, crs = file.gcps
        assert crs.to_epsg() == 4326
        assert_allclose([(p.row, p.col, p.x, p.y) for p in points], np.stack([line, sample, longitude, latitude], 1))


def test_a_swath_knows_its_places_and_finds_them_again():
    up = Swath.around(12.4, 48.7, "ascending", 1500, 2000)
    line, sample = np.mgrid[:1500:50, :2000:50].astype(float)
    found = up.find(*up.place(line, sample))
    assert_allclose(found, [line, sample], atol=1e-7)
    x, y = up.place(np.array([749.5]), np.array([999.5]))
    assert_allclose(to_epsg(x, y, up.epsg, LONLAT), [[12.4], [48.7]], atol=1e-9)
    # Time runs north, range to the east; and no affine map describes it to a pixel.
    x, y = up.place(line, sample)
    assert y[-1, 0] > y[0, 0]
    assert x[0, -1] > x[0, 0]
    columns = np.stack([np.ones(line.size), line.ravel(), sample.ravel()], axis=1)
    residual = x.ravel() - columns @ np.linalg.lstsq(columns, x.ravel())[0]
    assert 10 < np.abs(residual).max() < 100


@pytest.mark.parametrize("polarisation", ["VV", "VH"])
def test_calibrated_and_denoised_it_is_the_world_to_a_hundredth_of_a_decibel(product, world, polarisation):
    swath = Swath.around(12.4, 48.7, "descending", LINES, SAMPLES)
    error = sigma0_db(product, polarisation.lower()) - truth_db(world, swath, polarisation)
    assert np.abs(error).max() < 0.01


def test_noise_of_old_processors_has_one_table(tmp_path, world):
    root = write_sentinel1_safe(tmp_path, world, noise="old", ipf="002.72", gain=50.0, **PLACE)
    swath = Swath.around(12.4, 48.7, "ascending", LINES, SAMPLES)
    assert np.abs(sigma0_db(root, "vv") - truth_db(world, swath, "VV")).max() < 0.01


def test_gdal_opens_it_as_what_it_is(tmp_path):
    root = write_sentinel1_safe(tmp_path, ConstantWorld(), noise=None, **PLACE)
    assert not list(root.rglob("noise-*"))
    with rasterio.open(root / "manifest.safe") as file:
        assert (file.driver, file.count, len(file.gcps[0])) == ("SAFE", 2, 210)
        assert file.tags()["ORBIT_DIRECTION"] == "ASCENDING"
        assert (file.read() == np.stack([pixels(root, "vv"), pixels(root, "vh")])).all()


def test_speckle_has_the_looks_it_should_have(tmp_path):
    root = write_sentinel1_safe(tmp_path / "a", ConstantWorld(), noise=None, speckle=True, gain=50.0, **PLACE)
    calibration = xml(root, "annotation/calibration/calibration-*-vv-*.xml")
    sigma0 = (pixels(root, "vv") / table(calibration, "calibrationVector", "sigmaNought")) ** 2
    assert sigma0.mean() == pytest.approx(0.1, rel=0.01)
    assert (sigma0.mean() / sigma0.std()) ** 2 == pytest.approx(4.4, rel=0.05)
    again = write_sentinel1_safe(tmp_path / "b", ConstantWorld(), noise=None, speckle=True, gain=50.0, **PLACE)
    assert again.name == root.name
    assert (pixels(again, "vh") == pixels(root, "vh")).all()
    assert not (pixels(root, "vv") == pixels(root, "vh")).all()


def test_ends_in_range_may_be_zero_or_low(tmp_path):
    root = write_sentinel1_safe(tmp_path, ConstantWorld(), zero_border=5, fringe=20, zipped=True, **PLACE)
    assert root.suffix == ".zip"
    with zipfile.ZipFile(root) as archive:
        archive.extractall(tmp_path)
    image = pixels(root.with_suffix(".SAFE"), "vv")
    for side in (image, image[:, ::-1]):
        assert (side[:, :5] == 0).all()
        assert ((side[:, 5:25] >= 1) & (side[:, 5:25] <= 20)).all()
        assert (side[:, 25:300] > 50).all()


def test_both_sensors_see_the_same_place():
    world = World(3)
    swath = Swath.around(12.4, 48.7, "ascending", 1500, 2000)
    grid = PixelGrid.square(32633, round(swath.x, -2), round(swath.y, -2), 3_000, 10)
    x, y = grid.centres()
    line, sample = swath.find(x, y)
    radar = world.sigma0("VH", *swath.lonlat(line, sample))
    assert_allclose(radar, world.sigma0("VH", x, y, 32633), rtol=1e-4)
    optical = world.reflectance("B11", x, y, 32633)
    here = np.corrcoef(np.log(radar).ravel(), np.log(optical).ravel())[0, 1]
    elsewhere = np.corrcoef(np.log(radar[50:]).ravel(), np.log(optical[:-50]).ravel())[0, 1]
    assert here > abs(elsewhere) + 0.3
