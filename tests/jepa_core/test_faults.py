"""A bad scene beside a good one: it is set aside with its place and its reason, and the good one is cut."""

import csv
import json
import os
import re
import shutil
import tempfile
import time as clock
import zipfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.stac_item import read_item
from jepa_core.cutting import CutConfig
from jepa_core.extraction import _checked as checked
from jepa_core.extraction import extract
from jepa_core.patch_store import read_manifest, read_patches, read_quarantine
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel1_safe import write_sentinel1_safe
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac

WORLD = ConstantWorld()
PLACE = {"left": 420_000.0, "top": 5_401_200.0, "size_m": 2_400.0}
GOOD, BAD = datetime(2023, 6, 3, 10, 1, 2, tzinfo=UTC), datetime(2023, 6, 8, 10, 1, 2, tzinfo=UTC)

NOT_EVERYONE = 65534
"""A user without rights."""


def s2_safe(root, time=BAD, **given):
    return write_sentinel2_safe(root, WORLD, time=time, copies=False, **(PLACE | given))


def s1_safe(root, time=BAD, **given):
    place = {"longitude": 13.92, "latitude": 48.75, "lines": 250, "samples": 260}
    return write_sentinel1_safe(root, WORLD, time=time, **(place | given))


def s2_stac(root, time=BAD, **given):
    return write_sentinel2_stac(root, WORLD, time=time, **(PLACE | given))


def s1_rtc(root, time=BAD, **given):
    return write_sentinel1_rtc(root, WORLD, time=time, **(PLACE | given))


def table(root, time=BAD, scene="bad", **given):
    """A scene of one file with a band of each kind, and its lines in `scenes.csv`."""
    values = given.pop("values", None)
    if values is None:
        values = np.full((12, 240, 240), 1000, dtype="uint16")
    path = tiff(root / f"{scene}.tif", values, **given)
    lines = root / "scenes.csv"
    first = not lines.exists()
    with lines.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if first:
            writer.writerow(["scene", "sensor", "time", "band", "file", "number", "unit", "nodata"])
        for number, band in enumerate(SENTINEL2.band_names, 1):
            writer.writerow([scene, "s2", time.isoformat(), band, path.name, number, "DN", ""])
    return path


def tiff(path, values, crs="EPSG:32633", left=420_000.0, top=5_401_200.0, pixel=10.0, names=(), nodata=None):
    size = {"width": values.shape[2], "height": values.shape[1], "count": len(values), "dtype": values.dtype}
    place = {"crs": crs, "transform": from_origin(left, top, pixel, pixel)}
    with rasterio.open(path, "w", driver="GTiff", nodata=nodata, **size, **place) as file:
        file.write(values)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
    return path


class Bench:
    """An archive and a data root."""

    def __init__(self, folder):
        self.root = folder / "archive"
        self.root.mkdir()
        self.store = Store.at(folder / "data")

    def cut(self, sensor):
        return extract(self.store, Archive(self.root).sources(sensor), sensor, CutConfig())

    def scenes(self, sensor):
        return set(read_manifest(self.store, sensor)["scene_id"])

    def quarantined(self, sensor):
        return [(row.place, row.reason) for row in read_quarantine(self.store, sensor).itertuples()]

    def place(self, path):
        return str(path.relative_to(self.root))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def only(folder, pattern):
    (found,) = folder.rglob(pattern)
    return found


def shorten(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def edit(path, pattern, by, count=0):
    text, times = re.subn(pattern, by, path.read_text(), count=count, flags=re.DOTALL)
    assert times
    path.write_text(text)


def repaint(path, change):
    """The raster with other pixels."""
    with rasterio.open(path) as file:
        values, profile = file.read(), file.profile
    values = change(values)
    profile.update(dtype=values.dtype)
    if path.suffix == ".jp2":
        profile.update(QUALITY="100", REVERSIBLE="YES")
    for key in ("blockxsize", "blockysize", "tiled", "interleave"):
        profile.pop(key, None)
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)


def rezip(path, change):
    """The zip with other members: `change` gets a dictionary of bytes by name, and may change it."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def asset(path, key):
    item = json.loads(path.read_text())
    return path.parent / item["assets"][key]["href"]


def change_item(path, change):
    item = json.loads(path.read_text())
    change(item)
    path.write_text(json.dumps(item))


def set_aside_alone(bench, sensor, bad):
    """Cuts twice: what is bad is in quarantine with place and reason, the one good scene is in, the second run idles.

    Args:
        bench: with one good scene.
        sensor: of all scenes.
        bad: a pattern of the reason by place.
    """
    first = bench.cut(sensor)
    found = dict(bench.quarantined(sensor))
    assert set(found) == set(bad)
    for place, says in bad.items():
        assert re.search(says, found[place]), f"{says} is not in: {found[place]}"
    assert (first.scenes, first.scenes_new, first.scenes_quarantined) == (1, 1, len(bad))
    assert first.share_quarantined == pytest.approx(len(bad) / (len(bad) + 1))
    before = stamps(bench, sensor)
    again = bench.cut(sensor)
    assert (again.scenes, again.scenes_new, again.scenes_quarantined) == (1, 0, len(bad))
    assert dict(bench.quarantined(sensor)) == found
    assert stamps(bench, sensor) == before


def stamps(bench, sensor):
    return {path: path.stat().st_mtime_ns for path in bench.store.patches(sensor).glob("*/**/*")}


def spoilt(bench, write, faults):
    """Writes and spoils a scene for each fault, a day each; gives what must be said by place."""
    bad = {}
    for i, (harm, says) in enumerate(faults.values()):
        path = write(bench.root, BAD + timedelta(days=i))
        harm(path)
        bad[bench.place(path)] = says
    return bad


# What is done to a Sentinel-2 folder, and what must be said of it. `{}` stands for the product's name.
S2_FOLDER = {
    "truncated JP2": (lambda p: shorten(only(p, "*_B03_10m.jp2")), r"_B03_10m\.jp2 cannot be read as a raster"),
    "JP2 of zero bytes": (lambda p: only(p, "*_B03_10m.jp2").write_bytes(b""), r"_B03_10m\.jp2 cannot be read"),
    "truncated SCL": (lambda p: shorten(only(p, "*_SCL_20m.jp2"), 0.3), r"_SCL_20m\.jp2 cannot be read"),
    "missing band": (lambda p: only(p, "*_B8A_20m.jp2").unlink(), r"\.SAFE has no band B8A"),
    "no metadata": (lambda p: (p / "MTD_MSIL2A.xml").unlink(), r"\.SAFE has no metadata file MTD_MSIL1C\.xml or"),
    "no tile metadata": (lambda p: only(p, "MTD_TL.xml").unlink(), r"\.SAFE has no metadata file GRANULE.*MTD_TL\.xml"),
    "broken metadata": (lambda p: shorten(p / "MTD_MSIL2A.xml"), r"MTD_MSIL2A\.xml is not readable XML"),
    "empty metadata": (lambda p: (p / "MTD_MSIL2A.xml").write_bytes(b""), r"MTD_MSIL2A\.xml is not readable XML"),
    "metadata of another encoding": (
        lambda p: (p / "MTD_MSIL2A.xml").write_bytes(b"<?xml version='1.0' encoding='no-such'?><a/>"),
        r"MTD_MSIL2A\.xml is not readable XML",
    ),
    "entities": (
        lambda p: (p / "MTD_MSIL2A.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        r"MTD_MSIL2A\.xml is not readable XML",
    ),
    "unknown baseline": (
        lambda p: edit(p / "MTD_MSIL2A.xml", "(PROCESSING_BASELINE>)[^<]+", r"\1five"),
        r"MTD_MSIL2A\.xml: the processing baseline is 'five'",
    ),
    "baseline without its offsets": (
        lambda p: edit(p / "MTD_MSIL2A.xml", "<BOA_ADD_OFFSET_VALUES_LIST.*BOA_ADD_OFFSET_VALUES_LIST>", ""),
        r"MTD_MSIL2A\.xml: baseline 05\.09 shifts its values, but there is no BOA_ADD_OFFSET",
    ),
    "no time": (
        lambda p: edit(only(p, "MTD_TL.xml"), "<SENSING_TIME.*?</SENSING_TIME>", ""),
        r"MTD_TL\.xml has no .*SENSING_TIME",
    ),
    "a time that is none": (
        lambda p: edit(only(p, "MTD_TL.xml"), "(<SENSING_TIME[^>]*>)[^<]+", r"\1tomorrow"),
        r"MTD_TL\.xml: 'tomorrow' is no time",
    ),
    "wrong zone in the metadata": (
        lambda p: edit(only(p, "MTD_TL.xml"), "EPSG:32633", "EPSG:32601"),
        r"m\.jp2 lies in EPSG:32633, its metadata say EPSG:32601",
    ),
    "all nodata": (
        lambda p: repaint(only(p, "*_B05_20m.jp2"), np.zeros_like),
        r"S2A_MSIL2A_2023\w* has no cell with 0\.05 of its pixels measured in all bands",
    ),
    "a tile too many": (
        lambda p: shutil.copytree(next((p / "GRANULE").iterdir()), p / "GRANULE" / "L2A_T33UUQ_A000000_X"),
        r"\.SAFE holds 2 tiles",
    ),
    "a linked file": (
        lambda p: only(p, "*_B03_10m.jp2").rename(p.parent / "away.jp2") and relink(p, p.parent / "away.jp2"),
        r"_B03_10m\.jp2 is a symbolic link",
    ),
    "a link to itself": (
        lambda p: (p / "GRANULE" / "loop.jp2").symlink_to("loop.jp2"),
        r"loop\.jp2 is a symbolic link",
    ),
    "an empty folder": (lambda p: shutil.rmtree(p) or p.mkdir(), r"\.SAFE is empty"),
}


def relink(product, target):
    images = next((product / "GRANULE").glob("*/IMG_DATA/R10m"))
    name = next(images.glob("*_B02_10m.jp2")).name.replace("_B02_", "_B03_")
    (images / name).symlink_to(target)


def test_bad_sentinel2_products_are_set_aside_alone(bench):
    s2_safe(bench.root, GOOD)
    set_aside_alone(bench, SENTINEL2, spoilt(bench, s2_safe, S2_FOLDER))


def climb(members):
    members["../../etc/escaped"] = b"out"


def bomb(path):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        name = archive.namelist()[0].split("/")[0]
        with archive.open(f"{name}/HTML/zeros", "w", force_zip64=True) as file:
            for _ in range(300):
                file.write(bytes(1 << 20))


def link_inside(path):
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(archive.namelist()[0].split("/")[0] + "/link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def scramble(path):
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("MTD_MSIL2A.xml"))
    data[info.header_offset + 200 : info.header_offset + 260] = b"\xff" * 60
    path.write_bytes(data)


def lose_band(members):
    del members[next(name for name in members if name.endswith("_B11_20m.jp2"))]


def cut_band(members):
    name = next(name for name in members if name.endswith("_B04_10m.jp2"))
    members[name] = members[name][: len(members[name]) // 2]


S2_ZIP = {
    "truncated": (shorten, r"\.zip is not a readable zip"),
    "of zero bytes": (lambda p: p.write_bytes(b""), r"\.zip is not a readable zip"),
    "with .. paths": (lambda p: rezip(p, climb), r"\.zip holds '\.\./\.\./etc/escaped', which leads out of it"),
    "with a bomb's ratio": (bomb, r"\.zip would expand \d+-fold"),
    "with a link": (link_inside, r"\.zip holds the symbolic link"),
    "with two products": (
        lambda p: rezip(p, lambda m: m.update({"S2B_x.SAFE/MTD_MSIL2A.xml": b""})),
        r"\.zip holds 2 products",
    ),
    "with none": (lambda p: rezip(p, lambda m: (m.clear(), m.update(a=b""))), r"\.zip holds no products"),
    "whose bytes do not fit their checksum": (scramble, r"MTD_MSIL2A\.xml cannot be read: Bad CRC-32"),
    "without a band": (lambda p: rezip(p, lose_band), r"\.zip has no band B11"),
    "with a truncated band": (lambda p: rezip(p, cut_band), r"_B04_10m\.jp2 cannot be read as a raster"),
}


def test_bad_zips_are_set_aside_alone_and_nothing_leaves_them(bench):
    s2_safe(bench.root, GOOD, zipped=True)
    set_aside_alone(bench, SENTINEL2, spoilt(bench, partial(s2_safe, zipped=True), S2_ZIP))
    assert not list(bench.root.parent.rglob("escaped"))


def swap(folder):
    """Exchanges the calibration files of both polarisations."""
    a, b = (only(folder, f"calibration-*-{band}-*") for band in ("vv", "vh"))
    texts = a.read_bytes(), b.read_bytes()
    b.write_bytes(texts[0])
    a.write_bytes(texts[1])


S1_FOLDER = {
    "truncated TIFF": (lambda p: shorten(only(p, "*-vh-*.tiff")), r"-vh-\S+\.tiff cannot be read as a raster"),
    "TIFF of zero bytes": (lambda p: only(p, "*-vh-*.tiff").write_bytes(b""), r"-vh-\S+\.tiff cannot be read"),
    "missing band": (lambda p: only(p, "*-vh-*.tiff").unlink(), r"\.SAFE has no measurement of band VH"),
    "no manifest": (lambda p: (p / "manifest.safe").unlink(), r"\.SAFE has no file manifest\.safe"),
    "broken manifest": (lambda p: shorten(p / "manifest.safe"), r"manifest\.safe is not readable XML"),
    "no annotation": (
        lambda p: only(p / "annotation", "s1a-*-vv-*.xml").unlink(),
        r"\.SAFE has no annotation of band VV",
    ),
    "broken annotation": (
        lambda p: shorten(only(p, "s1a-*-vv-*.xml")),
        r"annotation of \S+-vv-\S+ is not readable XML",
    ),
    "no calibration": (lambda p: only(p, "calibration-*-vv-*").unlink(), r"\.SAFE has no calibration file of band VV"),
    "broken calibration": (lambda p: shorten(only(p, "calibration-*-vv-*")), r"calibration of \S+-vv-\S+"),
    "calibration of NaN": (
        lambda p: edit(only(p, "calibration-*-vv-*"), "(<sigmaNought[^>]*>)[^ <]+", r"\1nan"),
        r"calibration of \S+-vv-\S+",
    ),
    "swapped bands": (lambda p: swap(p), r"calibration of \S+ is of V[VH], the image of V[VH]"),
    "no time": (
        lambda p: edit(only(p, "s1a-*-vv-*.xml"), "<startTime>.*?</startTime>", ""),
        r"-vv-\S+ has no .*startTime",
    ),
    "a place off the Earth": (
        lambda p: edit(only(p, "s1a-*-vv-*.xml"), "<latitude>[^<]+", "<latitude>123"),
        r"annotation of \S+-vv-\S+: geolocation points lie off the Earth",
    ),
    "all nodata": (
        lambda p: repaint(only(p, "*-vv-*.tiff"), np.zeros_like),
        r"S1A_IW_GRDH\w+ has no cell with 0\.05 of its pixels measured",
    ),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bad_sentinel1_products_are_set_aside_alone(bench):
    s1_safe(bench.root, GOOD)
    set_aside_alone(bench, SENTINEL1, spoilt(bench, s1_safe, S1_FOLDER))


def without(*keys):
    def change(item):
        part = item
        for key in keys[:-1]:
            part = part[key]
        del part[keys[-1]]

    return change


def setting(value, *keys):
    def change(item):
        part = item
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return change


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


TABLE = {
    "truncated TIFF": ({}, lambda p: shorten(p), r"bad\d+\.tif cannot be read as a raster"),
    "zero bytes": ({}, lambda p: p.write_bytes(b""), r"bad\d+\.tif cannot be read as a raster"),
    "no file": ({}, lambda p: p.unlink(), r"scenes\.csv, line \d+: there is no file \S+bad\d+\.tif"),
    "no CRS": ({"crs": None}, None, r"bad\d+\.tif has no coordinate reference system"),
    "degrees in UTM": ({"left": 13.9, "top": 48.7, "pixel": 0.0001}, None, r"bad\d+\.tif has pixels of 0\.0001 m"),
    "metres in degrees": ({"crs": "EPSG:4326"}, None, r"bad\d+\.tif has pixels of .* must be wrong"),
    "a zone far away": ({"left": 5_000_000.0}, None, r"bad\d+\.tif lies .*: its coordinate reference system"),
    "all nodata": ({"values": np.zeros((12, 240, 240), "uint16")}, None, r"bad\d+ has no cell with 0\.05"),
    "NaN": ({"values": np.full((12, 240, 240), np.nan, "float32")}, None, r"bad\d+ has no cell with 0\.05"),
    "swapped bands": (
        {"names": ("B02", "B01", *SENTINEL2.band_names[2:])},
        None,
        r"bad\d+\.tif describes its band 1 as B02; it should be B01",
    ),
    "missing band": (
        {},
        lambda p: edit(p.parent / "scenes.csv", rf"{p.stem},s2,[^,]+,B08,[^\n]+\n", ""),
        r"scenes\.csv: scene bad\d+ has no band B08",
    ),
    "no time": (
        {},
        lambda p: edit(p.parent / "scenes.csv", rf"({p.stem},s2,)[^,]+(,B01)", r"\1\2"),
        r"scenes\.csv, line \d+: '' is no time",
    ),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bad_scenes_of_the_table_are_set_aside_alone(bench):
    table(bench.root, GOOD, "good")
    bad = {}
    for i, (given, harm, says) in enumerate(TABLE.values()):
        path = table(bench.root, scene=f"bad{i}", **given)
        if harm:
            harm(path)
        bad[f"scenes.csv#bad{i}"] = says
    set_aside_alone(bench, SENTINEL2, bad)


@contextmanager
def nobody():
    """Without the rights of root, which may read what it likes."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOT_EVERYONE)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def common():
    """A bench that everyone can reach: pytest's own folders are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    bench = Bench(folder)
    bench.store.root.mkdir()
    bench.store.root.chmod(0o777)
    yield bench
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_set_aside_alone(bench, common):
    # Loads all modules: they may lie where nobody reads.
    s2_safe(bench.root, GOOD)
    bench.cut(SENTINEL2)
    s2_safe(common.root, GOOD)
    shut, bad = [], {}

    def close(path, product, says=r"{}.*Permission denied"):
        shut.append((path, path.stat().st_mode & 0o777))
        bad[product if isinstance(product, str) else common.place(product)] = says.format(re.escape(path.name))

    days = (BAD + timedelta(days=i) for i in range(20))
    folder = s2_safe(common.root, next(days))
    close(folder, folder, r"{} is empty, or must not be read")
    product = s2_safe(common.root, next(days))
    close(product / "MTD_MSIL2A.xml", product)
    product = s2_safe(common.root, next(days))
    close(only(product, "*_B03_10m.jp2"), product, "{} cannot be read as a raster")
    product = s2_safe(common.root, next(days))
    close(next((product / "GRANULE").iterdir()), product, r"\.SAFE has no metadata file GRANULE")
    archive = s2_safe(common.root, next(days), zipped=True)
    close(archive, archive)
    item = s2_stac(common.root, next(days))
    close(item, item)
    item = s2_stac(common.root, next(days))
    close(asset(item, "green"), item, "{} cannot be read as a raster")
    close(table(common.root), "scenes.csv#bad", "{} cannot be read as a raster")
    (common.root / "closed").mkdir()
    table(common.root, scene="closed/inside")
    edit(common.root / "scenes.csv", "closed/inside,", "inside,")
    edit(common.root / "scenes.csv", ",inside.tif,", ",closed/inside.tif,")
    close(common.root / "closed", "scenes.csv#inside", r"scenes\.csv, line \d+: .*{}/inside\.tif")
    bad["closed"] = "closed cannot be looked into: Permission denied"
    for path, _ in shut:
        path.chmod(0)
    try:
        with nobody():
            set_aside_alone(common, SENTINEL2, bad)
    finally:
        for path, rights in shut:
            path.chmod(rights)
    # Given the right, all are read: rights are part of what changes.
    with nobody():
        summary = common.cut(SENTINEL2)
    # The good one and all that were bad, but for the folder, which is no scene.
    assert (summary.scenes, summary.scenes_quarantined) == (len(bad), 0)


def test_a_linked_product_and_a_loop_of_links_stop_nothing(bench):
    s2_safe(bench.root, GOOD)
    away = bench.root.parent / "away"
    target = s2_safe(away)
    link = bench.root / target.name
    link.symlink_to(target)
    (bench.root / "round").symlink_to(bench.root)
    loop = bench.root / "loop"
    loop.mkdir()
    (loop / "back").symlink_to(loop)
    says = r"\.SAFE is a symbolic link; put the product itself into the archive"
    set_aside_alone(bench, SENTINEL2, {bench.place(link): says})


@pytest.mark.parametrize("write", [s2_safe, s2_stac])
def test_links_that_lead_round_in_a_circle_stop_nothing(bench, write):
    write(bench.root, GOOD)
    for name, target in (
        ("S2A_x.SAFE", "S2B_x.SAFE"),
        ("S2B_x.SAFE", "S2A_x.SAFE"),
        ("a.json", "b.json"),
        ("b.json", "a.json"),
    ):
        (bench.root / name).symlink_to(target)
    summary = bench.cut(SENTINEL2)
    assert summary.scenes == 1
    places = [place for place, _ in bench.quarantined(SENTINEL2)]
    assert set(places) <= {"S2A_x.SAFE", "S2B_x.SAFE", "a.json", "b.json"}
    assert all(place in reason for place, reason in bench.quarantined(SENTINEL2))


@pytest.mark.parametrize("sensor", [SENTINEL1, SENTINEL2], ids=lambda sensor: sensor.short)
def test_folders_of_any_name_are_read(bench, sensor):
    safe, item = (s1_safe, s1_rtc) if sensor is SENTINEL1 else (s2_safe, s2_stac)
    days = (GOOD + timedelta(days=i) for i in range(20))
    names = ["größe 雪 é", "e\u0301", "with 'quotes' & {braces}", "a#b?c=d%20e"]
    for name in names:
        (bench.root / name).mkdir()
        for write in (safe, partial(safe, zipped=True), item):
            write(bench.root / name, next(days))
    assert bench.cut(sensor).scenes == 3 * len(names)
    assert bench.quarantined(sensor) == []


def test_names_that_are_no_text_stop_nothing(bench):
    s2_safe(bench.root, GOOD)
    root = os.fsencode(bench.root)
    product = os.fsencode(s2_safe(bench.root))
    os.rename(product, os.path.join(root, b"S2A_\xff\xfe.SAFE"))
    with open(os.path.join(root, b"\xff.json"), "wb") as file:
        file.write(b"{")
    os.mkdir(os.path.join(root, b"\xe9"))
    for write in (s2_safe, s2_stac, partial(s2_safe, zipped=True)):
        path = write(bench.root, BAD + timedelta(days=1))
        moved = path.parent if path.suffix == ".json" else path
        os.rename(moved, os.path.join(root, b"\xe9", os.fsencode(moved.name)))
    summary = bench.cut(SENTINEL2)
    assert "S2A_MSIL2A_20230603T100102_N0509_R079_T33UUP_20230603T160102" in bench.scenes(SENTINEL2)
    reasons = dict(bench.quarantined(SENTINEL2))
    assert summary.scenes_quarantined == len(reasons) == 5
    assert re.search(r"not readable JSON", reasons["\\udcff.json"])
    again = bench.cut(SENTINEL2)
    assert (again.scenes, again.scenes_new) == (summary.scenes, 0)


def test_a_scene_of_a_name_that_cannot_be_a_file_is_set_aside(bench):
    table(bench.root, GOOD, "good")
    bad = table(bench.root)
    edit(bad.parent / "scenes.csv", r"\nbad,", r"\n../bad,")
    set_aside_alone(bench, SENTINEL2, {"scenes.csv#../bad": r"the scene id '\.\./bad' may hold"})


MENDED = ["safe", "zip", "stac", "table", "radar"]


@pytest.mark.parametrize("kind", MENDED)
def test_what_is_mended_is_cut_without_being_asked(bench, kind):
    sensor = SENTINEL1 if kind == "radar" else SENTINEL2
    write = {"safe": s2_safe, "zip": s2_safe, "stac": s2_stac, "table": table, "radar": s1_safe}[kind]
    more = {"zipped": True} if kind == "zip" else {}
    good = {"scene": "good"} if kind == "table" else {}
    write(bench.root, GOOD, **more, **good)
    bad = write(bench.root, BAD, **more)
    find = {
        "safe": lambda: only(bad, "*_B03_10m.jp2"),
        "zip": lambda: bad,
        "stac": lambda: asset(bad, "green"),
        "table": lambda: bad,
        "radar": lambda: only(bad, "*-vh-*.tiff"),
    }[kind]
    whole = find().read_bytes()
    shorten(find(), 0.4)
    assert bench.cut(sensor).scenes_quarantined == 1
    clock.sleep(0.01)
    find().write_bytes(whole)
    summary = bench.cut(sensor)
    assert (summary.scenes, summary.scenes_new, summary.scenes_quarantined) == (2, 1, 0)
    assert bench.quarantined(sensor) == []
    # And the other way: what is spoilt later is withdrawn.
    clock.sleep(0.01)
    shorten(find(), 0.4)
    summary = bench.cut(sensor)
    assert (summary.scenes, summary.scenes_withdrawn, summary.scenes_quarantined) == (1, 1, 1)


def places_in(part, path=()):
    """Every path inside a JSON value."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places_in(value, (*path, key))


@pytest.mark.parametrize("write", [s2_stac, partial(s2_stac, stac_version="1.1.0"), s1_rtc])
@pytest.mark.parametrize("junk", [None, 5, True, [], {}, ["x"], {"a": 1}, "x", "\ud800", 1e400])
def test_whatever_an_item_holds_it_is_a_scene_or_an_archive_error(bench, write, junk):
    sensor = SENTINEL1 if write is s1_rtc else SENTINEL2
    path = write(bench.root)
    text = path.read_text()
    kept = ("properties", "id", "assets", "collection", "bbox", "geometry", "links", "stac_version")
    for place in [place for place in places_in(json.loads(text)) if place[0] in kept]:
        # The first bands stand for all.
        if place[0] == "assets" and len(place) > 1 and place[1] not in ("coastal", "blue", "vv", "scl"):
            continue
        item = json.loads(text)
        setting(junk, *place)(item)
        with suppress(ArchiveError):
            checked(read_item(item, sensor, str, "item.json"))


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


def test_values_that_are_no_number_are_missing_where_they_are(bench):
    values = np.full((12, 240, 240), 1000, "float32")
    values[4, :120, :60] = np.nan
    values[7, :120, 60:90] = np.inf
    table(bench.root, GOOD, "good", values=values)
    bench.cut(SENTINEL2)
    rows = read_patches(bench.store, SENTINEL2)
    assert sorted(rows["valid_fraction"]) == pytest.approx([0.25, 1, 1, 1])
