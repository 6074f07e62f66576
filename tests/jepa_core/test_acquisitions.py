"""What is new, changed, gone or not whole yet, and what an extraction makes of it."""

import shutil
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from jepa_core.acquisitions import look, look_when_settled
from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.sensors import SENTINEL1
from jepa_core.store import Store
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.world import World
from tests.synthetic import write_pairs

CONFIG = CutConfig()
TIME = datetime(2021, 8, 15, 5, tzinfo=UTC)
PLACE = {"left": 399_600, "top": 5_400_000, "size_m": 2_400}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "archive").mkdir()
    write_pairs(tmp_path / "archive", 6)
    return tmp_path / "archive"


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "data")


def found(store, root, settle_s=0.0, at_most=None):
    return look(store, Archive(root, settle_s), SENTINEL1, CONFIG, at_most)


def take(store, found):
    return extract(store, found.sources, SENTINEL1, CONFIG, found.waiting)


def places(root):
    return sorted((root / "BigEarthNet-S1").iterdir())


def test_new_changed_and_gone_places_are_told_apart_and_nothing_is_said_of_the_rest(store, root):
    first = found(store, root)
    assert len(first.new) == len(first.sources)
    assert (first.changed, first.gone) == ((), ())
    take(store, first)
    again = found(store, root)
    assert (again.new, again.changed, again.gone, again.version) == ((), (), (), first.version)
    band = next(places(root)[0].glob("*VV.tif"))
    band.write_bytes(band.read_bytes())
    changed = found(store, root)
    assert len(changed.changed) == 1
    assert changed.version != first.version
    for place in places(root):
        scene = place.name.rsplit("_", 2)[0]
        if changed.changed[0].startswith(scene):
            shutil.rmtree(place)
    gone = found(store, root)
    assert gone.gone == changed.changed


def test_what_is_still_being_copied_is_no_reason_to_extract_and_what_was_there_of_it_stays(store, root):
    take(store, found(store, root))
    before, patches = found(store, root), read_patches(store, SENTINEL1)
    band = next(places(root)[0].glob("*VV.tif"))
    band.write_bytes(band.read_bytes()[:100])
    coming = found(store, root, settle_s=60.0)
    assert len(coming.waiting) == 1
    assert coming.version == before.version
    summary = take(store, coming)
    assert (summary.scenes_coming, summary.scenes_new, summary.scenes_withdrawn) == (1, 0, 0)
    assert read_patches(store, SENTINEL1)["patch_id"].tolist() == patches["patch_id"].tolist()
    # Once it lies still it is read, and found to be broken.
    time.sleep(0.05)
    assert take(store, found(store, root, settle_s=0.02)).patches_quarantined == 1


def test_an_archive_of_which_all_is_still_being_copied_says_so_and_withdraws_nothing(store, root):
    with pytest.raises(ArchiveError, match="still being copied: run again"):
        take(store, found(store, root, settle_s=60.0))


def test_many_new_scenes_come_in_portions_and_end_as_if_they_had_come_at_once(store, root, tmp_path):
    whole = found(store, root)
    total = len(whole.new)
    assert total > 1
    seen, runs = set(), 0
    while (portion := found(store, root, at_most=1)).new:
        assert len(portion.new) == 1
        seen.add(portion.version)
        take(store, portion)
        runs += 1
    assert runs == len(seen) == total
    assert found(store, root).version == whole.version
    other = Store.at(tmp_path / "other")
    take(other, found(other, root))
    one, two = (read_manifest(s, SENTINEL1)[["scene_id", "holds"]].to_numpy() for s in (store, other))
    assert np.array_equal(one, two)


def test_what_changed_a_moment_ago_is_waited_for_once(store, root):
    said, waited = [], []

    def wait(seconds):
        waited.append(seconds)
        time.sleep(0.15)

    ready = look_when_settled(store, Archive(root, 0.1), SENTINEL1, CONFIG, None, wait, said.append)
    assert len(waited) <= 1  # on a slow disk all has settled by itself
    assert not ready.waiting
    (root / "BigEarthNet-S1" / places(root)[0].name / "more.tif").touch()
    waiting = look_when_settled(store, Archive(root, 60.0), SENTINEL1, CONFIG, None, lambda s: None, said.append)
    assert waiting.waiting
    assert said[-1].startswith("left for the next run: ")


def test_after_a_change_of_settings_nothing_is_taken_in_portions_for_the_rest_would_be_withdrawn(store, root):
    take(store, found(store, root))
    other = CutConfig(min_valid_fraction=0.2)
    again = look(store, Archive(root), SENTINEL1, other, 1)
    assert not again.waiting
    summary = extract(store, again.sources, SENTINEL1, other, again.waiting)
    assert (summary.scenes, summary.scenes_withdrawn) == (len(again.sources), 0)


def test_places_that_are_looked_at_every_time_take_no_turn_from_new_ones(store, root):
    """Two items of one id: one is set aside for as long as the other is there."""
    write_sentinel1_rtc(root / "a", World(0), time=TIME, **PLACE)
    shutil.copytree(root / "a", root / "b")
    take(store, found(store, root))
    assert found(store, root, at_most=1).waiting == {}
    assert (found(store, root).new, found(store, root).changed) == ((), ())
    write_pairs(root, 12)
    portion = found(store, root, at_most=1)
    assert len(portion.new) + len(portion.changed) == 1
    # The other goes: the one that was set aside takes its place.
    before = found(store, root).version
    shutil.rmtree(root / "a")
    assert found(store, root).version != before
    assert take(store, found(store, root)).scenes_quarantined == 0


def test_folders_of_a_product_that_hold_nothing_yet_wait(tmp_path, store):
    product = tmp_path / "archive" / "S1A_IW_GRDH_1SDV_20210401T052623_20210401T052648_037258_04638E_8A39.SAFE"
    (product / "annotation").mkdir(parents=True)
    coming = look(store, Archive(tmp_path / "archive", 60.0), SENTINEL1, CONFIG)
    assert len(coming.waiting) == 1
