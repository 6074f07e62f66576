"""STAC items in folders, in static catalogues and behind an API; all servers are on this machine."""

import json
import os
import re
import shutil
import socket
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from jepa_core import extraction
from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.stac import find_sources
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import read_manifest, read_patches, read_pixels, read_quarantine, retry_now
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.stac_catalog import write_catalog
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
from tests.http_server import serving
from tests.synthetic import write_pairs

TIME = datetime(2023, 8, 15, 9, 50, 31, tzinfo=UTC)
PLACE = {"left": 300_000.0, "top": 5_400_000.0, "size_m": 2_400.0}


def optical(root, days=0, **how):
    return write_sentinel2_stac(root, ConstantWorld(), time=TIME + timedelta(days=days), **PLACE | how)


def radar(root, days=0, **how):
    return write_sentinel1_rtc(root, ConstantWorld(), time=TIME + timedelta(days=days), **PLACE | how)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two radar items and an optical one, and a catalogue of them; only read."""
    root = tmp_path_factory.mktemp("scenes")
    write_catalog(root, [radar(root), radar(root, days=12), optical(root)])
    return root


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """Three retries of a raster take ten seconds otherwise."""
    monkeypatch.setitem(extraction._GDAL, "GDAL_HTTP_RETRY_DELAY", 0.02)


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    root.mkdir()
    return root


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "data")


def cut(store, root, sensor=SENTINEL1):
    return extract(store, Archive(root).sources(sensor), sensor, CutConfig())


def stamps(root, sensor=SENTINEL1):
    return {source.place: source.stamp for source in find_sources(root, sensor)}


def name_in(root, *entries):
    (root / "stac.json").write_text(json.dumps(entries))


def decibels(store):
    rows = read_patches(store, SENTINEL1)
    return read_pixels(store, SENTINEL1, rows)


def test_items_are_found_in_folders_and_cut(scenes, store):
    assert len(stamps(scenes)) == 2
    assert len(stamps(scenes, SENTINEL2)) == 1
    assert (cut(store, scenes).scenes, cut(store, scenes, SENTINEL2).scenes) == (2, 1)
    pixels = decibels(store)
    np.testing.assert_allclose(pixels[:, 0], -10, atol=1e-4)
    np.testing.assert_allclose(pixels[:, 1], -17, atol=1e-4)
    assert not any(source.remote for source in find_sources(scenes, SENTINEL1))


def test_a_raster_replaced_while_the_item_stands_is_a_change(archive):
    path = radar(archive)
    before = stamps(archive)
    raster = path.parent / "measurement/iw-vh.rtc.tiff"
    os.utime(raster, (0, 0))
    assert stamps(archive).keys() == before.keys()
    assert stamps(archive) != before
    item = json.loads(path.read_text())
    for asset in item["assets"].values():
        asset["href"] = (path.parent / asset["href"]).as_uri()
    path.write_text(json.dumps(item))
    before = stamps(archive)
    raster.write_bytes(raster.read_bytes() + b"\0")
    assert stamps(archive) != before


def change_links(path, change):
    item = json.loads(path.read_text())
    for asset in item["assets"].values():
        asset["href"] = change(asset["href"])
    path.write_text(json.dumps(item))


def test_links_may_be_file_addresses_within_the_archive(archive, store):
    path = radar(archive / "a folder, ünd more")
    change_links(path, lambda href: (path.parent / href).as_uri())
    assert cut(store, archive).scenes == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda href: f"../../../outside/{os.path.basename(href)}", "lies outside the archive"),
        (lambda href: "/etc/hostname", "/etc/hostname lies outside the archive"),
        (lambda href: "file:///etc/hostname", "file:///etc/hostname lies outside the archive"),
        (lambda href: "link.tiff", "link.tiff lies outside the archive"),
        (lambda href: "/vsicurl/http://127.0.0.1/a.tif", "lies outside the archive"),
        (lambda href: "nowhere.tiff", "there is no file"),
        (lambda href: "", "there is no file"),
        (lambda href: "a\0b", "cannot be followed"),
        (lambda href: "a" * 5000, "cannot be followed"),
        (lambda href: "http://[", "there is no file"),
        (lambda href: "http:a.tif", "is not an address that can be read"),
        (lambda href: "ftp://127.0.0.1/a.tif", "there is no file"),
        (lambda href: "circle.tiff", "cannot be followed|there is no file|outside"),
    ],
)
def test_links_that_lead_out_of_the_archive_or_nowhere_are_refused(archive, change, says):
    path = radar(archive)
    shutil.copytree(path.parent / "measurement", archive.parent / "outside")
    (path.parent / "link.tiff").symlink_to(archive.parent / "outside" / "iw-vv.rtc.tiff")
    (path.parent / "circle.tiff").symlink_to("circle.tiff")
    change_links(path, change)
    (source,) = find_sources(archive, SENTINEL1)
    with pytest.raises(ArchiveError, match=says):
        source.read()


def test_broken_json_is_a_fault_and_other_json_is_none_of_our_business(scenes, archive, store):
    radar(archive)
    (archive / "broken.json").write_text('{"type": "Feature", "stac_version": "1.0.0"')
    (archive / "deep.json").write_text("[" * 100_000)
    (archive / "latin.geojson").write_bytes(b'{"a": "\xe9"}')
    (archive / "map.geojson").write_text('{"type": "Feature", "geometry": null, "properties": {}}')
    (archive / "list.json").write_text("[1, 2]")
    (archive / "landsat.json").write_text(
        '{"type": "Feature", "stac_version": "1.0.0", "id": "LC08", "properties": {"platform": "landsat-8"}}'
    )
    write_pairs(archive / "ben", 1)
    summary = cut(store, archive)
    assert (summary.scenes, summary.scenes_quarantined) == (2, 3)
    faults = read_quarantine(store, SENTINEL1).set_index("place")["reason"]
    assert sorted(faults.index) == ["broken.json", "deep.json", "latin.geojson"]
    assert all(f"{archive / place} is not readable JSON" in reason for place, reason in faults.items())


@pytest.mark.parametrize("name", ["../x", "a/b", "x" * 300, "ü" * 150, ".hidden", "", "a b", "x\n"])
def test_an_id_that_cannot_name_a_folder_sets_its_item_aside_alone(archive, store, name):
    radar(archive)
    path = radar(archive / "odd", days=1)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id": name}))
    summary = cut(store, archive)
    assert (summary.scenes, summary.scenes_quarantined) == (1, 1)
    assert "the scene id" in read_quarantine(store, SENTINEL1)["reason"][0]
    assert {p.name for p in store.root.parent.iterdir()} == {"archive", "data"}


def test_ids_of_other_alphabets_and_the_longest_ones_are_cut(archive, store):
    for i, name in enumerate(("Größe-été.日本", "x" * 190)):
        path = radar(archive / str(i), days=i)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"id": name}))
    assert cut(store, archive).scenes == 2


def test_file_names_that_are_no_text_do_not_stop_the_others(archive, store):
    radar(archive)
    path = radar(archive / "odd", days=1)
    shutil.move(path, os.fsdecode(os.fsencode(path.parent) + b"/\xff\xfe.json"))
    assert cut(store, archive).scenes == 2


def test_two_items_with_one_id_are_told(archive, store):
    radar(archive / "a")
    path = radar(archive / "b", days=1)
    name = json.loads(next((archive / "a").glob("*/*.json")).read_text())["id"]
    item = json.loads(path.read_text()) | {"id": name}
    # What names the acquisition is the id; without it, items of one id are copies of one scene.
    path.write_text(json.dumps(item))
    summary = cut(store, archive)
    assert (summary.scenes, summary.scenes_replaced + summary.scenes_quarantined) == (1, 1)
    one = optical(archive / "c")
    other = optical(archive / "d", tile="33TWM")
    other.write_text(json.dumps(json.loads(other.read_text()) | {"id": json.loads(one.read_text())["id"]}))
    summary = cut(store, archive, SENTINEL2)
    assert (summary.scenes, summary.scenes_quarantined) == (1, 1)
    assert re.search(
        r"d/.* has the id S2A_33UUP_20230815_0_L2A, which c/.* has, too", read_quarantine(store, SENTINEL2)["reason"][0]
    )


def test_a_catalogue_in_the_archive_adds_what_lies_elsewhere(scenes, archive, store):
    own = radar(archive / "own", days=24)
    with serving(scenes) as server:
        catalog = write_catalog(archive, [own])
        content = json.loads(catalog.read_text())
        content["links"].append({"rel": "child", "href": f"{server.address}/catalog.json"})
        # A catalogue that is its own child ends.
        content["links"].append({"rel": "child", "href": "./catalog.json"})
        catalog.write_text(json.dumps(content))
        name_in(archive, {"catalog": "catalog.json"})
        assert sorted(source.remote for source in find_sources(archive, SENTINEL1)) == [False, True, True]
        summary = cut(store, archive)
    assert (summary.scenes, summary.scenes_quarantined, summary.scenes_replaced) == (3, 0, 0)


def test_a_catalogue_elsewhere_is_listed_and_its_rasters_are_read_in_part(scenes, archive, store):
    with serving(scenes) as server:
        name_in(archive, {"catalog": f"{server.address}/catalog.json"})
        summary = cut(store, archive)
        assert (summary.scenes, summary.scenes_quarantined) == (2, 0)
        assert cut(store, archive, SENTINEL2).scenes == 1
        server.asked()
        assert cut(store, archive).scenes_new == 0
        # Nothing but metadata is asked for again.
        assert {path.rpartition(".")[2] for path in server.asked()} == {"json"}
    np.testing.assert_allclose(decibels(store)[:, 0], -10, atol=1e-4)


def test_an_item_that_cannot_be_had_takes_nothing_away(scenes, archive, store):
    with serving(scenes) as server:
        name_in(archive, {"catalog": f"{server.address}/catalog.json"})
        cut(store, archive)
        first = sorted(scenes.glob("S1A_*/*.json"))[0]
        server.set(failing=first.name)
        summary = cut(store, archive)
        assert (summary.scenes, summary.scenes_new, summary.scenes_quarantined) == (2, 0, 1)
        assert (
            f"1 of its links cannot be read; first {server.address}" in read_quarantine(store, SENTINEL1)["reason"][0]
        )
        for _ in range(2):
            # Nor while it is left alone.
            assert summary.scenes_waiting == 1
            summary = cut(store, archive)
            assert (summary.scenes, summary.scenes_withdrawn) == (2, 0)
        server.set(failing="(?!)")
        summary = cut(store, archive)
        assert (summary.scenes, summary.scenes_new, summary.scenes_quarantined) == (2, 0, 0)


def test_a_catalogue_elsewhere_opens_no_file_here(scenes, archive, tmp_path):
    shutil.copytree(scenes, tmp_path / "served")
    path = sorted((tmp_path / "served").glob("S1A_*/*.json"))[0]
    change_links(path, lambda href: (path.parent / href).as_uri())
    catalog = tmp_path / "served" / "catalog.json"
    content = json.loads(catalog.read_text())
    content["links"].append({"rel": "child", "href": f"file://{scenes}/catalog.json"})
    catalog.write_text(json.dumps(content))
    with serving(tmp_path / "served") as server:
        name_in(archive, {"catalog": f"{server.address}/catalog.json"})
        sources = {source.place: source for source in find_sources(archive, SENTINEL1)}
        source = next(source for place, source in sources.items() if path.name in place)
        with pytest.raises(ArchiveError, match="is no address that can be read"):
            source.read()
        with pytest.raises(ArchiveError, match=r"leads to .* on this machine"):
            sources[f"{server.address}/catalog.json"].read()


def served_items(scenes, address):
    items = []
    for path in sorted(scenes.glob("S*/*.json")):
        item = json.loads(path.read_text())
        for asset in item["assets"].values():
            asset["href"] = f"{address}/{path.parent.name}/{asset['href']}"
        items.append(item | {"links": []})
    return items


def test_an_api_is_searched_page_by_page(scenes, archive, store):
    with serving(scenes) as server:
        server.set(items=served_items(scenes, server.address))
        api = f"{server.address}/api"
        name_in(archive, {"api": api})
        summary = cut(store, archive)
        assert (summary.scenes, summary.scenes_quarantined) == (2, 0)
        assert server.asked().count("/api/search") == 3
        assert cut(store, archive, SENTINEL2).scenes == 1
        assert cut(store, archive).scenes_new == 0
        found = {}
        for name, fields in {
            "collection": {"collections": ["sentinel-2-l2a"]},
            "time": {"datetime": "2023-08-16T00:00:00Z/2023-09-30T00:00:00Z"},
            "here": {"bbox": [12, 48, 13, 49]},
            "elsewhere": {"bbox": [-10, -10, -9, -9]},
        }.items():
            name_in(archive, {"api": api, **fields})
            found[name] = [len(stamps(archive, sensor)) for sensor in (SENTINEL1, SENTINEL2)]
        assert found == {"collection": [0, 1], "time": [1, 0], "here": [2, 1], "elsewhere": [0, 0]}
    np.testing.assert_allclose(decibels(store)[:, 1], -17, atol=1e-4)


def test_a_server_that_is_down_takes_nothing_away_and_is_asked_again(scenes, archive, store):
    radar(archive, days=30)
    with serving(scenes) as server:
        port = int(server.address.rpartition(":")[2])
        server.set(items=served_items(scenes, server.address))
        api = f"{server.address}/api"
        name_in(archive, {"api": api})
        assert cut(store, archive).scenes == 3
    radar(archive, days=31)
    started = time.monotonic()
    summary = cut(store, archive)
    assert time.monotonic() - started < 20
    assert (summary.scenes, summary.scenes_new, summary.scenes_withdrawn) == (4, 1, 0)
    (fault,) = read_quarantine(store, SENTINEL1).itertuples()
    assert fault.place == api
    assert f"{api} cannot be listed" in fault.reason
    assert summary.scenes_waiting == 1
    with serving(scenes, port=port) as server:
        server.set(items=served_items(scenes, server.address)[:1])
        summary = cut(store, archive)
    # What the server says is gone, is gone.
    assert (summary.scenes, summary.scenes_withdrawn, summary.scenes_quarantined) == (3, 1, 0)
    assert len(read_manifest(store, SENTINEL1)) == 3


@pytest.mark.parametrize("failing", [r"tiff$", r"iw-vh.*tiff$"])
def test_rasters_that_cannot_be_had_are_tried_again(scenes, archive, store, failing):
    radar(archive, days=30)
    with serving(scenes) as server:
        name_in(archive, {"catalog": f"{server.address}/catalog.json"})
        first = sorted(scenes.glob("S1A_*"))[0].name
        server.set(failing=first + ".*" + failing)
        summary = cut(store, archive)
        assert (summary.scenes, summary.scenes_quarantined) == (2, 1)
        assert summary.scenes_waiting == 1
        server.set(failing="(?!)")
        assert cut(store, archive).scenes == 2
        assert retry_now(store, SENTINEL1) == 1
        summary = cut(store, archive)
        assert (summary.scenes, summary.scenes_new, summary.scenes_quarantined) == (3, 1, 0)


def test_rasters_of_a_server_that_is_down_do_not_hang(scenes, archive, store):
    path = radar(archive)
    radar(archive, days=1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    change_links(path, lambda href: f"http://127.0.0.1:{port}/{href}")
    started = time.monotonic()
    summary = cut(store, archive)
    assert time.monotonic() - started < 20
    assert (summary.scenes, summary.scenes_quarantined) == (1, 1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not readable JSON"),
        ("[" * 100_000, "is not readable JSON"),
        ("{}", "is not a list of objects"),
        ("[1]", "is not a list of objects"),
        ("[{}]", "either `catalog` alone or `api`"),
        ('[{"catalog": "a", "api": "http://b"}]', "this one has api, catalog"),
        ('[{"api": "http://b", "cloud": 5}]', "this one has api, cloud"),
        ('[{"catalog": "a", "bbox": [1, 2, 3, 4]}]', "this one has bbox, catalog"),
        ('[{"catalog": 5}]', "'5' is not the address"),
        ('[{"api": "/etc/hostname"}]', "'/etc/hostname' is not the address"),
    ],
)
def test_a_wrong_list_of_catalogues_is_a_plain_error(archive, content, says):
    radar(archive)
    (archive / "stac.json").write_text(content)
    with pytest.raises(ArchiveError, match=rf"stac\.json.*{says}"):
        Archive(archive).sources(SENTINEL1)


@pytest.mark.parametrize("address", ["../elsewhere/catalog.json", "nowhere.json", "stac.json"])
def test_a_catalogue_that_is_none_is_set_aside(archive, store, address):
    radar(archive)
    name_in(archive, {"catalog": address})
    summary = cut(store, archive)
    assert (summary.scenes, summary.scenes_quarantined) == (1, 1)
    assert f"{address} cannot be listed" in read_quarantine(store, SENTINEL1)["reason"][0]
