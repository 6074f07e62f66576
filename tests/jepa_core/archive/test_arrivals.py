"""Scenes that are still being copied wait; a copy that is whole does not."""

import os
import shutil
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jepa_core.archive import arrivals as module
from jepa_core.archive.arrivals import arrivals
from jepa_core.archive.manifest import lacking
from jepa_core.archive.sentinel2_safe import find_sources
from jepa_core.sensors import SENTINEL2
from jepa_core.testing.package import zip_folder
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.world import World

LONG_AGO = 0.02


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    place = {"left": 399_600, "top": 5_400_000, "size_m": 2_400, "time": datetime(2021, 8, 15, tzinfo=UTC)}
    return write_sentinel2_safe(tmp_path_factory.mktemp("product"), World(0), copies=False, **place)


@pytest.fixture
def archive(product, tmp_path):
    shutil.copytree(product, tmp_path / product.name)
    return tmp_path


def settled(root, settle_s=LONG_AGO):
    time.sleep(LONG_AGO)
    return arrivals(list(find_sources(root, SENTINEL2)), settle_s)


def test_what_changed_a_moment_ago_waits_and_with_no_waiting_asked_for_nothing_does(archive):
    found = settled(archive, settle_s=60.0)
    (why,) = found.waiting.values()
    assert "changed" in why
    assert not found.ready
    assert not settled(archive, settle_s=0.0).waiting


def test_a_whole_product_that_lies_still_is_ready(archive):
    found = settled(archive)
    assert len(found.ready) == 1
    assert not found.waiting


def test_a_tool_that_keeps_the_times_of_the_original_does_not_make_a_copy_look_old(archive):
    for path in archive.rglob("*"):
        os.utime(path, (0, 0))
    assert settled(archive, settle_s=60.0).waiting


@pytest.mark.parametrize("cut", ["gone", "short", "no manifest", "half a manifest"])
def test_a_product_waits_for_the_files_that_its_manifest_lists(archive, cut):
    (safe,) = archive.glob("*.SAFE")
    image = sorted(safe.rglob("*.jp2"))[0]
    if cut == "gone":
        image.unlink()
    elif cut == "short":
        image.write_bytes(image.read_bytes()[:-1])
    elif cut == "no manifest":
        (safe / "manifest.safe").unlink()
    else:
        text = (safe / "manifest.safe").read_bytes()
        (safe / "manifest.safe").write_bytes(text[: len(text) // 2])
    (why,) = settled(archive).waiting.values()
    missing = "manifest.safe" if "manifest" in cut else image.name
    assert missing in why
    assert "not come yet" in why


def test_a_product_from_which_files_were_taken_is_read_after_an_hour(archive, monkeypatch):
    (safe,) = archive.glob("*.SAFE")
    sorted(safe.rglob("*.jp2"))[0].unlink()
    monkeypatch.setattr(module, "PATIENCE_S", LONG_AGO)
    assert len(settled(archive).ready) == 1


def test_a_zip_waits_for_its_end(archive):
    (safe,) = archive.glob("*.SAFE")
    place = zip_folder(safe)
    if safe.exists():
        shutil.rmtree(safe)
    assert zipfile.is_zipfile(place)
    assert len(settled(archive).ready) == 1
    place.write_bytes(place.read_bytes()[:-100])
    (why,) = settled(archive).waiting.values()
    assert "the end of the zip" in why


def test_a_manifest_that_leads_out_of_the_product_asks_for_nothing_there(archive):
    (safe,) = archive.glob("*.SAFE")
    manifest = safe / "manifest.safe"
    manifest.write_text(manifest.read_text().replace('href="./GRANULE', 'href="../../GRANULE'))
    assert lacking(safe) == ""


def test_of_many_only_as_many_are_looked_at_as_are_taken(archive, product):
    for number in range(4):
        shutil.copytree(product, archive / f"{number}" / product.name)
    looked = []
    sources = list(find_sources(archive, SENTINEL2))
    assert len(sources) == 5
    spied = [replace_files(source, looked) for source in sources]
    time.sleep(LONG_AGO)
    found = arrivals(spied, LONG_AGO, at_most=2)
    assert [s.place for s in found.ready] == [s.place for s in sources[:2]]
    assert looked == [s.place for s in sources[:2]]
    assert all("turn" in why for why in found.waiting.values())


def replace_files(source, looked):
    return replace(source, files=lambda: looked.append(source.place) or source.files())
