"""What a process remembers of items in the archive's folders, and when it must not."""

import errno
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jepa_core.archive import stac_local
from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.changes import changes_of
from jepa_core.sensors import SENTINEL1
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.trouble import passes


@pytest.fixture
def item(tmp_path):
    """The file of an item, in a folder under the archive's root."""
    place = {"left": 300_000.0, "top": 5_400_000.0, "size_m": 2_400.0}
    write_sentinel1_rtc(tmp_path / "archive", ConstantWorld(), time=datetime(2023, 8, 15, tzinfo=UTC), **place)
    (path,) = tmp_path.rglob("*.json")
    return path


def listed(path):
    return Archive(path.parent.parent).sources(SENTINEL1)


@pytest.fixture
def old(monkeypatch):
    """All files count as old ones."""
    monkeypatch.setattr(stac_local, "_YOUNG_NS", -(10**18))


def test_an_old_item_is_read_once_for_any_number_of_looks(item, old, monkeypatch):
    (first,) = listed(item)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read again"))
    (second,) = listed(item)
    assert second.stamp == first.stamp
    assert list(second.files()) == list(first.files())


def test_a_young_item_that_changes_at_its_size_and_time_is_seen(item, monkeypatch):
    changes = changes_of(item)
    # As on a file system that counts in whole seconds.
    monkeypatch.setattr(stac_local, "changes_of", lambda path: changes)
    (before,) = listed(item)
    item.write_text(item.read_text().replace("2023-08-15", "2023-08-16"))
    (after,) = listed(item)
    assert after.stamp != before.stamp


def test_an_item_or_an_asset_that_changes_has_another_stamp(item, old):
    stamps = set()
    text = json.loads(item.read_text())
    asset = item.parent / next(iter(text["assets"].values()))["href"]
    for change in (lambda: None, lambda: item.write_text(item.read_text() + "\n"), lambda: asset.write_bytes(b"1")):
        change()
        (source,) = listed(item)
        stamps.add(source.stamp)
    assert len(stamps) == 3


def test_a_broken_item_is_a_source_that_cannot_be_read_and_a_mended_one_is_again(item, old):
    (good,) = listed(item)
    text = item.read_text()
    item.write_text(text[:-5])
    (broken,) = listed(item)
    with pytest.raises(ArchiveError, match="is not readable JSON"):
        broken.read()
    item.write_text(text)
    (mended,) = listed(item)
    assert mended.stamp == good.stamp
    assert mended.read().time.year == 2023


def test_an_item_that_changes_between_listing_and_reading_is_left_for_the_next_look(item):
    (source,) = listed(item)
    item.write_text(item.read_text() + "\n")
    with pytest.raises(ArchiveError, match="changed since it was listed") as caught:
        source.read()
    assert caught.value.__cause__.errno == errno.EAGAIN
    assert passes(caught.value)
