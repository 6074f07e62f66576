"""What is new, changed, gone or not whole yet, and what an extraction makes of it."""

import shutil
import time

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
from tests.synthetic import write_pairs

CONFIG = CutConfig()


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
    assert waited in ([], [0.1])  # a slow disk lets all settle by itself
    assert not ready.waiting
    (root / "BigEarthNet-S1" / places(root)[0].name / "more.tif").touch()
    waiting = look_when_settled(store, Archive(root, 60.0), SENTINEL1, CONFIG, None, lambda s: None, said.append)
    assert waiting.waiting
    assert said[-1].startswith("left for the next run: ")
