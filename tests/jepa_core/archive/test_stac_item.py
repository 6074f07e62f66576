"""One item at a time: simulated, changed, read."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.stac_item import read_item, sensor_of
from jepa_core.cutting import CutConfig, cut
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac

TIME = datetime(2023, 8, 15, 9, 50, 31, tzinfo=UTC)
PLACE = {"left": 300_000.0, "top": 5_400_000.0, "size_m": 2_400.0, "time": TIME}
WORLD = ConstantWorld()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes an item once for all tests that want the same."""
    root, known = tmp_path_factory.mktemp("items"), {}

    def write(writer=write_sentinel2_stac, **how):
        key = (writer, tuple(sorted(how.items())))
        if key not in known:
            known[key] = writer(root / str(len(known)), WORLD, **PLACE, **how)
        return known[key]

    return write


def read(path, change=lambda item: None, sensor=None):
    item = json.loads(path.read_text())
    change(item)
    return read_item(item, sensor or sensor_of(item), lambda href: str(path.parent / href), "the item")


def red_and_dn(scene):
    """Median of band B04 as it is cut: 0.08 in the constant world."""
    (patch, *_) = cut(scene, CutConfig(), [])
    return float(np.median(patch.pixels[SENTINEL2.positions(("B04",))[0]]))


def properties(**fields):
    return lambda item: item["properties"].update(fields)


def without(*fields):
    return lambda item: [item["properties"].pop(field) for field in fields]


def both(*changes):
    return lambda item: [change(item) for change in changes]


def bands(**fields):
    def change(item):
        for asset in item["assets"].values():
            for band in asset.get("raster:bands", []):
                band.update(fields)

    return change


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize(
    "how",
    [
        # The catalogue shifted the pixels, and still states -0.1.
        {"says_applied": True, "stated_offset": -0.1},
        {"says_applied": True, "stated_offset": 0.0},
        {"says_applied": False, "offset_in_pixels": True},
        {"baseline": "03.01", "says_applied": False},
        {"dialect": "planetary-computer"},
        {"dialect": "planetary-computer", "baseline": "04.00"},
        {"dialect": "planetary-computer", "baseline": "03.01"},
    ],
)
def test_reflectance_is_the_ground_s_whoever_shifted_it(written, how, version):
    scene = read(written(stac_version=version, **how))
    # B04 is fourth: 0.05 + 3 x 0.01.
    assert red_and_dn(scene) == 800
    shifted = how.get("dialect") == "planetary-computer" or how.get("offset_in_pixels", False)
    assert scene.product.offset_dn == (-1000 if shifted and how.get("baseline") != "03.01" else 0)


def test_an_item_of_earth_search_is_read_to_the_last_field(written):
    scene = read(written())
    assert scene.id == "S2A_33UUP_20230815_0_L2A"
    assert scene.sensor == SENTINEL2
    assert tuple(scene.rasters) == SENTINEL2.band_names
    assert scene.time == datetime(2023, 8, 15, 9, 57, 57, 222_200, tzinfo=UTC)
    assert scene.epsg == 32633
    assert scene.rasters["B8A"].address.endswith("B8A.tif")
    assert scene.classes is not None
    assert scene.classes.address.endswith("SCL.tif")
    product = scene.product
    assert product.acquisition == "S2A_20230815T095031_T33UUP_20230815T095630"
    assert (product.level, product.baseline) == ("L2A", "05.09")
    assert product.processed == "L2A-05.09-2023-08-15T15:50:31.000000Z"


def test_both_catalogues_and_both_versions_tell_the_same_acquisition(written):
    scenes = [
        read(written(dialect=dialect, stac_version=version))
        for dialect in ("earth-search", "planetary-computer")
        for version in ("1.0.0", "1.1.0")
    ]
    assert len({scene.product.acquisition for scene in scenes}) == 1
    assert {scene.epsg for scene in scenes} == {32633}
    assert [scene.product.orbit_pass for scene in scenes] == ["", "", "descending", "descending"]
    assert [scene.product.relative_orbit for scene in scenes] == [None, None, 79, 79]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (bands(offset=0.0), "states an offset of 0, its baseline 05.09 means -0.1"),
        (
            both(bands(offset=-0.1), properties(**{"s2:processing_baseline": "03.01"})),
            "states an offset of -0.1, its baseline 03.01 means 0",
        ),
        (properties(**{"s2:processing_baseline": "latest"}), "the processing baseline is 'latest'"),
        (
            properties(**{"earthsearch:boa_offset_applied": "true"}),
            "earthsearch:boa_offset_applied is 'true', neither true nor",
        ),
        (bands(offset="none"), "'none' is not a number"),
        (bands(offset=10**400), "is not a number"),
        (bands(scale=0), "states a scale of 0"),
        (bands(scale=float("nan")), "'nan' is not a number"),
        (bands(nodata="zero"), "'zero' is not a number"),
    ],
)
def test_what_contradicts_itself_is_refused(written, change, says):
    with pytest.raises(ArchiveError, match=rf"^the item:? {says}|^the item: .*{says}"):
        read(written(says_applied=False, offset_in_pixels=True), change)


def test_without_a_word_on_the_offset_values_are_not_guessed(written):
    silent = without("s2:processing_baseline")
    with pytest.raises(ArchiveError, match="the item states neither offset nor s2:processing_baseline"):
        read(written(dialect="planetary-computer"), silent)
    # One that states it needs no baseline.
    scene = read(
        written(says_applied=False, offset_in_pixels=True), both(silent, without("earthsearch:boa_offset_applied"))
    )
    assert red_and_dn(scene) == 800


def test_the_stated_scale_counts(written):
    scene = read(written(), bands(scale=0.0002))
    assert red_and_dn(scene) == 1600


def rename(old, new):
    return lambda item: item["assets"].update({new: item["assets"].pop(old)})


def test_an_asset_is_known_by_colour_by_band_and_by_what_it_names_inside(written):
    for name in ("red", "B04", "b04", "image-of-red"):
        raster = read(written(), rename("red", name)).rasters["B04"]
        assert raster.address.endswith("B04.tif"), name


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_an_asset_that_names_another_band_inside_is_refused(written, version):
    def swap(item):
        assets = item["assets"]
        assets["red"], assets["nir"] = assets["nir"], assets["red"]

    with pytest.raises(ArchiveError, match="the asset 'red' should be band B04, but names its band B08"):
        read(written(stac_version=version), swap)


@pytest.mark.parametrize("band", ["B01", "B8A", "B12"])
def test_a_missing_band_is_named(written, band):
    key = {"B01": "coastal", "B8A": "nir08", "B12": "swir22"}[band]
    with pytest.raises(ArchiveError, match=f"the item has no asset for band {band}"):
        read(written(), lambda item: item["assets"].pop(key))
    wanted = SENTINEL2.with_bands(["B02", "B03"])
    scene = read(written(), lambda item: item["assets"].pop(key), sensor=wanted)
    assert list(scene.rasters) == ["B02", "B03"]


def test_jp2_twins_are_left_alone_and_two_assets_for_a_band_are_refused(written):
    def twin(name):
        return lambda item: item["assets"].update({name: item["assets"]["red"] | {"href": f"{name}.jp2"}})

    assert read(written(), twin("red-jp2")).rasters["B04"].address.endswith("B04.tif")
    with pytest.raises(ArchiveError, match="the item has several assets for band B04"):
        read(written(), twin("B04"))


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_bands_of_one_asset_are_told_apart_by_name_not_by_place(written, version):
    def merge(item):
        assets = item["assets"]
        for field in ("eo:bands", "bands"):
            if field in assets["red"]:
                assets["red"][field] = [{"name": "nir"}, *assets["red"][field]]
        assets["image"] = assets.pop("red")

    path = written(stac_version=version)
    raster = read(path, merge, sensor=SENTINEL2.with_bands(["B04"])).rasters["B04"]
    assert (raster.number, raster.address.endswith("B04.tif")) == (2, True)

    def unnamed(item):
        for field in ("eo:bands", "bands"):
            if field in item["assets"]["red"]:
                item["assets"]["red"][field] = [{"name": "1"}, {"name": "2"}]

    with pytest.raises(ArchiveError, match="the asset 'red' holds 2 bands, none of them named B04"):
        read(path, unnamed)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize("decibels", [False, True])
def test_rtc_comes_to_decibels_from_either_unit(written, decibels, version):
    scene = read(written(write_sentinel1_rtc, decibels=decibels, stac_version=version))
    assert {raster.unit for raster in scene.rasters.values()} == {"dB" if decibels else "linear"}
    (patch, *_) = cut(scene, CutConfig(), [])
    np.testing.assert_allclose(patch.pixels[0], -10, atol=1e-4)
    np.testing.assert_allclose(patch.pixels[1], -17, atol=1e-4)
    assert scene.product.level == "RTC"
    assert (scene.product.orbit_pass, scene.product.relative_orbit) == ("ascending", 146)
    assert scene.product.acquisition.startswith("S1A_20230815T095031_")


def test_the_unit_of_an_unknown_collection_is_not_guessed(written):
    path = written(write_sentinel1_rtc)
    with pytest.raises(ArchiveError, match=r"in dB or linear \(unit of raster:bands\).* 'my-rtc'"):
        read(path, lambda item: item.update(collection="my-rtc"))
    with pytest.raises(ArchiveError, match="'None'"):
        read(path, lambda item: item.pop("collection"))
    scene = read(path, both(lambda item: item.update(collection="my-rtc"), bands(unit="linear")))
    assert scene.rasters["VV"].unit == "linear"
    with pytest.raises(ArchiveError, match="backscatter in 'amplitude' is not read"):
        read(path, bands(unit="amplitude"))
    with pytest.raises(ArchiveError, match="the item has no asset for band VH"):
        read(path, lambda item: item["assets"].pop("vh"))


def test_an_item_over_a_span_of_time_begins_at_its_start(written):
    path = written(write_sentinel1_rtc)
    assert read(path, properties(datetime=None)).time == TIME
    assert read(path, properties(datetime="2023-08-15T11:50:31.5+02:00")).time.isoformat() == (
        "2023-08-15T09:50:31.500000+00:00"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (both(properties(datetime=None), without("start_datetime")), "datetime"),
        (both(properties(datetime=None), without("start_datetime", "end_datetime")), "datetime"),
        (without("datetime", "start_datetime", "end_datetime"), "datetime"),
        (properties(datetime="2023-08-15"), "'2023-08-15' has no time of day"),
        (properties(datetime="2023"), "'2023' has no time of day"),
        (properties(datetime="yesterday"), "is no valid"),
        (properties(datetime=20230815), "is no valid"),
        (properties(datetime="0001-01-01T00:00:00+14:00"), "is no time"),
    ],
)
def test_an_item_without_a_time_of_day_is_refused(written, change, says):
    with pytest.raises(ArchiveError, match=rf"^the item.*{says}"):
        read(written(write_sentinel1_rtc), change)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sat:orbit_state": "geostationary"}, "neither ascending nor descending"),
        ({"sat:relative_orbit": 10**30}, "is no relative orbit"),
        ({"sat:relative_orbit": 0}, "is no relative orbit"),
        ({"sat:relative_orbit": "79"}, "is not a number"),
    ],
)
def test_orbits_that_are_none_are_refused(written, fields, says):
    with pytest.raises(ArchiveError, match=rf"the item: .*{says}"):
        read(written(write_sentinel1_rtc), properties(**fields))


def test_orbits_may_be_unsaid_or_spelt_large(written):
    path = written(write_sentinel1_rtc)
    scene = read(path, properties(**{"sat:orbit_state": None, "sat:relative_orbit": None}))
    assert (scene.product.orbit_pass, scene.product.relative_orbit) == ("", None)
    assert read(path, properties(**{"sat:orbit_state": "DESCENDING"})).product.orbit_pass == "descending"


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_rasters_in_another_zone_than_the_item_says_are_refused(written, version):
    field, value = ("proj:epsg", 32632) if version == "1.0.0" else ("proj:code", "EPSG:32632")
    scene = read(written(stac_version=version), properties(**{field: value}))
    assert scene.epsg == 32632
    with pytest.raises(ArchiveError, match=r"lies in EPSG:32633, its metadata say EPSG:32632"):
        list(cut(scene, CutConfig(), []))


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"type": "Feature", "stac_version": "1.0.0"},
        {"type": "Feature", "stac_version": "1.0.0", "id": 5, "properties": {}, "assets": {}},
        {"type": "Feature", "stac_version": "1.0.0", "id": "a\ud800", "properties": {}, "assets": {}},
    ],
)
def test_what_is_no_item_is_refused(item):
    with pytest.raises(ArchiveError, match="the item is no valid STAC item"):
        read_item(item, SENTINEL2, str, "the item")


@pytest.mark.parametrize(
    ("item", "sensor"),
    [
        ({"properties": {"constellation": "sentinel-2"}}, SENTINEL2),
        ({"properties": {"constellation": "Sentinel 2"}}, SENTINEL2),
        ({"properties": {"platform": "SENTINEL-1A"}}, SENTINEL1),
        ({"collection": "sentinel-1-rtc"}, SENTINEL1),
        ({"id": "S2B_33UUP_20230815_0_L2A", "properties": None}, SENTINEL2),
        ({"properties": {"platform": "landsat-8", "constellation": None}, "id": "LC08_x"}, None),
        ({"properties": {"platform": "sentinel-3a"}, "collection": "sentinel-3-olci"}, None),
        ({"id": 7, "collection": ["sentinel-2"], "properties": {"platform": 2}}, None),
        ("S2A_", None),
    ],
)
def test_an_item_s_sensor_is_what_it_says(item, sensor):
    assert sensor_of(item) == sensor
