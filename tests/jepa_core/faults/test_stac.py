"""Bad STAC items, and bad files of good ones."""

import json
import re
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.stac_item import read_item
from jepa_core.candidates import checked
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import SENTINEL1, SENTINEL2
from tests.jepa_core.faults.scenes import (
    GOOD,
    asset,
    change_item,
    repaint,
    s1_rtc,
    s2_stac,
    set_aside_alone,
    setting,
    shorten,
    spoilt,
    tiff,
    without,
)

STAC = {
    "truncated TIFF": (lambda p: shorten(asset(p, "green")), r"B03\.tif cannot be read as a raster"),
    "TIFF of zero bytes": (lambda p: asset(p, "green").write_bytes(b""), r"B03\.tif cannot be read as a raster"),
    "missing file": (lambda p: asset(p, "green").unlink(), r"there is no file \S+B03\.tif"),
    "missing band": (lambda p: change_item(p, without("assets", "green")), r"has no asset for band B03"),
    "swapped bands": (
        lambda p: change_item(p, lambda item: item["assets"]["green"]["eo:bands"][0].update(name="red")),
        r"'green' should be band B03, but names its band B04",
    ),
    "unknown baseline": (
        lambda p: change_item(
            p,
            lambda item: item["properties"].update(
                {"s2:processing_baseline": "new", "earthsearch:boa_offset_applied": False}
            ),
        ),
        r"the processing baseline is 'new'",
    ),
    "a link that is no path": (
        lambda p: change_item(p, setting("a\0b.tif", "assets", "green", "href")),
        r"S2A_\S+\.json: .*null",
    ),
    "a link too long": (
        lambda p: change_item(p, setting("a" * 5000, "assets", "green", "href")),
        r"S2A_\S+\.json: .*(too long|no file)",
    ),
    "a link to itself": (
        lambda p: asset(p, "green").unlink() or asset(p, "green").symlink_to("B03.tif"),
        r"S2A_\S+\.json: .*(B03\.tif|loop)",
    ),
    "a link that is no address": (
        lambda p: change_item(p, setting("http://[", "assets", "green", "href")),
        r"S2A_\S+\.json: there is no file",
    ),
    "a link to no file": (
        lambda p: change_item(p, setting("file://[", "assets", "green", "href")),
        r"S2A_\S+\.json: there is no file",
    ),
    "text that is no Unicode": (
        lambda p: change_item(p, setting("\ud800", "properties", "sat:orbit_state")),
        r"no Unicode|surrogates not allowed",
    ),
    "a link out of the archive": (
        lambda p: change_item(p, setting("../../../../etc/hostname", "assets", "green", "href")),
        r"\.\./etc/hostname lies outside the archive",
    ),
    "no clock": (
        lambda p: change_item(p, setting(None, "properties", "datetime")),
        r"(is no valid STAC item|neither datetime nor start_datetime)",
    ),
    "other zone": (
        lambda p: [change_item(p, setting(v, "properties", k)) for k, v in (("proj:epsg", 32601),)],
        r"B\d\d\.tif lies in EPSG:32633, its metadata say EPSG:32601",
    ),
    "broken JSON": (shorten, r"\.json is not readable JSON"),
    "all nodata": (lambda p: repaint(asset(p, "green"), np.zeros_like), r"has no cell with 0\.05"),
}


def test_bad_stac_items_are_set_aside_alone(bench):
    s2_stac(bench.root, GOOD)
    set_aside_alone(bench, SENTINEL2, spoilt(bench, s2_stac, STAC))


def test_an_item_whose_only_time_is_that_of_its_start_is_cut(bench):
    item = s2_stac(bench.root)
    change_item(item, setting(None, "properties", "datetime"))
    change_item(item, setting("2023-06-08T10:00:00Z", "properties", "start_datetime"))
    change_item(item, setting("2023-06-08T10:05:00Z", "properties", "end_datetime"))
    bench.cut(SENTINEL2)
    (row,) = read_manifest(bench.store, SENTINEL2).itertuples()
    assert row.time.isoformat() == "2023-06-08T10:00:00+00:00"


def test_a_radar_item_that_does_not_say_its_unit_is_set_aside_alone(bench):
    s1_rtc(bench.root, GOOD)
    bad = s1_rtc(bench.root)
    change_item(bad, setting("other", "collection"))
    set_aside_alone(bench, SENTINEL1, {bench.place(bad): r"does not say whether its backscatter is in dB or linear"})


def test_of_two_items_of_one_id_the_second_is_set_aside(bench):
    first = s2_stac(bench.root, GOOD)
    second = s2_stac(bench.root)
    scene = json.loads(first.read_text())["id"]
    change_item(second, setting(scene, "id"))
    says = rf"has the id {scene}, which {re.escape(bench.place(first))} has"
    set_aside_alone(bench, SENTINEL2, {bench.place(second): says})


def places_in(part, path=()):
    """Every path inside a JSON value."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places_in(value, (*path, key))


@pytest.fixture(scope="module", params=[s2_stac, partial(s2_stac, stac_version="1.1.0"), s1_rtc])
def item(request, tmp_path_factory):
    """A sensor and the text of an item of it."""
    path = request.param(tmp_path_factory.mktemp("item"))
    return SENTINEL1 if request.param is s1_rtc else SENTINEL2, path.read_text()


@pytest.mark.parametrize("junk", [None, 5, True, [], {}, ["x"], {"a": 1}, "x", "\ud800", 1e400])
def test_whatever_an_item_holds_it_is_a_scene_or_an_archive_error(item, junk):
    sensor, text = item
    kept = ("properties", "id", "assets", "collection", "bbox", "geometry", "links", "stac_version")
    for place in [place for place in places_in(json.loads(text)) if place[0] in kept]:
        # The first bands stand for all.
        if place[0] == "assets" and len(place) > 1 and place[1] not in ("coastal", "blue", "vv", "scl"):
            continue
        changed = json.loads(text)
        setting(junk, *place)(changed)
        with suppress(ArchiveError):
            checked(read_item(changed, sensor, str, "item.json"))


def test_bad_rasters_of_a_radar_item_are_set_aside_alone(bench):
    s1_rtc(bench.root, GOOD)
    faults = {
        "truncated": (lambda p: shorten(asset(p, "vh"), 0.3), r"iw-vh\.rtc\.tiff cannot be read as a raster"),
        "NaN": (lambda p: repaint(asset(p, "vh"), lambda v: np.full_like(v, np.nan)), r"has no cell with 0\.05"),
        "zero power": (lambda p: repaint(asset(p, "vh"), np.zeros_like), r"has no cell with 0\.05"),
        "no polarisation": (lambda p: change_item(p, without("assets", "vh")), r"has no asset for band VH"),
        "no CRS": (
            lambda p: tiff(asset(p, "vh"), np.ones((1, 240, 240), "float32"), crs=None),
            r"iw-vh\.rtc\.tiff has no coordinate reference system",
        ),
        "another unit": (
            lambda p: change_item(p, lambda item: item["assets"]["vh"]["raster:bands"][0].update(unit="furlong")),
            r"backscatter in 'furlong' is not read",
        ),
    }
    set_aside_alone(bench, SENTINEL1, spoilt(bench, s1_rtc, faults))
