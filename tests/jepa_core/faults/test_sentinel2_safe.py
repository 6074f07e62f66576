"""Bad Sentinel-2 products in ESA's format, as folders and as zips."""

import shutil
import zipfile
from functools import partial

import numpy as np

from jepa_core.sensors import SENTINEL2
from tests.jepa_core.faults.scenes import GOOD, edit, only, repaint, rezip, s2_safe, set_aside_alone, shorten, spoilt

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
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
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
