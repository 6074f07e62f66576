"""Rights, links and names of files, and files that are mended or spoilt later, for every reader."""

import os
import re
import shutil
import tempfile
import time as clock
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from jepa_core.sensors import SENTINEL1, SENTINEL2
from tests.jepa_core.faults.scenes import (
    BAD,
    GOOD,
    Bench,
    asset,
    edit,
    only,
    s1_rtc,
    s1_safe,
    s2_safe,
    s2_stac,
    set_aside_alone,
    shorten,
    table,
)

NOT_EVERYONE = 65534
"""A user without rights."""


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
    # Loads all modules and codecs of every reader: they may lie where nobody reads.
    s2_safe(bench.root, GOOD, zipped=True)
    s2_stac(bench.root)
    table(bench.root, scene="good")
    assert bench.cut(SENTINEL2).scenes == 3
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
