"""When what could not be reached is tried again: the schedule by itself, and a server that is down and comes back."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core import extraction, retries, tables
from jepa_core.archive.discover import Archive
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import _tried, attempts_mark, read_manifest, read_quarantine, retry_now
from jepa_core.sensors import SENTINEL1
from jepa_core.store import Store
from tests.http_server import serving
from tests.jepa_core.faults.scenes import GOOD, change_item, s1_rtc

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def row(place="a", attempts=1, left=timedelta(minutes=1), state="quarantined", remote=True):
    when = pd.NaT if left is None else NOW + left
    return {"place": place, "state": state, "remote": remote, "attempts": attempts, "next_attempt": when}


@settings(deadline=None)
@given(place=st.text(), attempts=st.integers(1, 10_000))
def test_a_wait_doubles_up_to_six_hours_and_is_the_same_each_time(place, attempts):
    whole = min(60.0 * 2 ** min(attempts - 1, 100), 6 * 3600.0)
    waited = retries.wait(place, attempts)
    assert 0.8 * whole <= waited.total_seconds() <= whole
    assert waited == retries.wait(place, attempts)


def test_what_failed_together_is_not_asked_for_at_once_but_in_one_run():
    waits = {place: retries.wait(place, 9) for place in map(str, range(50))}
    assert max(waits.values()) - min(waits.values()) > timedelta(minutes=20)
    rows = [row(place, 9, waits[place]) for place in waits]
    assert retries.due_places(rows, NOW + min(waits.values()) - timedelta(seconds=1)) == set()
    assert retries.due_places(rows, NOW + min(waits.values())) == set(waits)


def test_only_what_may_pass_is_ever_due():
    rows = [row("a", left=None, remote=False), row("b", left=None, state="cut"), row("c", left=timedelta(hours=1))]
    assert retries.due_places(rows, NOW) == set()
    # From before attempts were counted; and a clock that stood a year ahead when the wait was written.
    assert retries.due_places([row("a", 0, None), row("b", 3, timedelta(days=365))], NOW) == {"a", "b"}


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 8), st.booleans())
def test_the_mark_changes_when_a_place_is_due_and_not_when_it_is_tried(attempts, others, recovers):
    waiting = [row(f"w{i}", attempts, timedelta(hours=5)) for i in range(others)]
    listed = {"a", *(r["place"] for r in waiting)}

    def mark(of):
        return retries.attempts_mark([of, *waiting], NOW, listed)

    before, due = row("a", attempts, timedelta(minutes=1)), row("a", attempts, timedelta(0))
    # What the ledger writes of a place that it tried: one attempt more, or the count as it should be by then.
    wanted = retries.attempts_wanted(due, {"a"})
    after = row("a", wanted, None, "cut") if recovers else row("a", attempts + 1, timedelta(hours=6))
    if not others:
        assert mark(before) != mark(due)
        assert mark(due) == mark(after)
    assert retries.attempts_wanted(after, set()) == wanted


def test_tables_from_before_attempts_were_counted_are_read_and_tried_at_once(tmp_path):
    store = Store.at(tmp_path)
    path = store.patches(SENTINEL1) / "sources.parquet"
    path.parent.mkdir(parents=True)
    old = {"fingerprint": "f", "state": "quarantined", "scene_id": "", "acquisition": "", "processed": ""}
    table = pd.DataFrame([{"place": "a", **old, "remote": True}, {"place": "b", **old, "remote": False}])
    table.to_parquet(path, index=False)
    assert due_now(store) == 1
    read = tables.read_table(path, tables.SOURCES)
    assert read["attempts"].tolist() == [0, 0]
    assert read["next_attempt"].isna().all()


@settings(deadline=None)
@given(st.lists(st.sampled_from([None, pd.NaT, NOW, pd.Timestamp(NOW).as_unit("us")]), max_size=5))
def test_times_of_attempts_that_are_missing_or_not_fit_one_table(times):
    known = {"fingerprint": "f", "state": "cut", "scene_id": "", "acquisition": "", "processed": "", "remote": False}
    rows = [{"place": str(i), **known, "attempts": 0, "next_attempt": time} for i, time in enumerate(times)]
    table = tables.validated(tables.table_of(rows, tables.SOURCES), tables.SOURCES, "it")
    assert [None if pd.isna(time) else time for time in table["next_attempt"]] == [
        None if pd.isna(time) else NOW for time in times
    ]


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """An archive with a scene whose rasters lie on a server, and one that is whole; the server; the data root."""
    monkeypatch.setitem(extraction._GDAL, "GDAL_HTTP_MAX_RETRY", 0)
    root = tmp_path / "archive"
    root.mkdir()
    s1_rtc(root, GOOD)
    path = s1_rtc(tmp_path / "away")
    with serving(tmp_path / "away") as server:
        (root / "far").mkdir()
        far = root / "far" / path.name
        far.write_bytes(path.read_bytes())
        address = f"{server.address}/{path.parent.name}"
        change_item(far, lambda item: [a.update(href=f"{address}/{a['href']}") for a in item["assets"].values()])
        yield root, server, Store.at(tmp_path / "data"), far


def due_now(store):
    return len(retries.due_places(_tried(store, SENTINEL1), retries.now()))


def cut(store, root):
    return extract(store, Archive(root).sources(SENTINEL1), SENTINEL1, CutConfig())


def mark(store, root):
    return attempts_mark(store, SENTINEL1, {source.place for source in Archive(root).sources(SENTINEL1)})


def state(store, place):
    sources = tables.read_table(store.patches(SENTINEL1) / "sources.parquet", tables.SOURCES)
    return sources.set_index("place").loc[place]


def test_a_scene_out_of_reach_waits_longer_each_time_and_starts_anew_when_it_was_well(faulty):
    root, server, store, far = faulty
    place = str(far.relative_to(root))
    server.set(failing="tiff$")
    started = retries.now()
    summary = cut(store, root)
    assert (summary.scenes, summary.scenes_quarantined, summary.scenes_waiting) == (1, 1, 1)
    (fault,) = read_quarantine(store, SENTINEL1).itertuples()
    assert f"tried once in vain, next attempt after {summary.next_attempt}" in fault.reason
    assert mark(store, root) == ""
    server.asked()
    # Not its time: nothing is asked for, and nothing is forgotten.
    assert cut(store, root).scenes_waiting == 1
    assert server.asked() == []
    assert due_now(store) == 0
    for attempts in (2, 3):
        before = mark(store, root)
        assert retry_now(store, SENTINEL1) == due_now(store) == 1
        due = mark(store, root)
        assert due != before
        cut(store, root)
        assert mark(store, root) == due
        assert state(store, place)["attempts"] == attempts
        wait = state(store, place)["next_attempt"] - started
        assert wait > timedelta(minutes=0.8 * 2 ** (attempts - 1))
    assert "tried 3 times in vain" in read_quarantine(store, SENTINEL1)["reason"][0]
    server.set(failing="(?!)")
    retry_now(store, SENTINEL1)
    due = mark(store, root)
    summary = cut(store, root)
    assert (summary.scenes, summary.scenes_waiting, summary.next_attempt) == (2, 0, "")
    # That it is well needs no second run.
    assert mark(store, root) == due
    assert read_quarantine(store, SENTINEL1).empty
    server.set(failing="tiff$")
    change_item(far, lambda item: item["properties"].update(note="changed"))
    cut(store, root)
    assert state(store, place)["attempts"] == 1


def test_a_scene_that_was_cut_stands_while_it_waits_and_is_read_at_once_when_it_changes(faulty):
    root, server, store, far = faulty
    assert cut(store, root).scenes == 2
    held = set(read_manifest(store, SENTINEL1)["folder"])
    server.set(failing="tiff$")
    change_item(far, lambda item: item["properties"].update(note="changed"))
    for _ in range(3):
        summary = cut(store, root)
        assert (summary.scenes, summary.scenes_withdrawn, summary.scenes_waiting) == (2, 0, 1)
        assert set(read_manifest(store, SENTINEL1)["folder"]) == held
    server.set(failing="(?!)")
    change_item(far, lambda item: item["properties"].update(note="once more"))
    summary = cut(store, root)
    assert (summary.scenes, summary.scenes_new, summary.scenes_waiting) == (2, 1, 0)


def test_an_older_copy_does_not_step_in_beside_a_scene_that_waits(faulty):
    root, server, store, far = faulty
    cut(store, root)
    # The same acquisition once more, here: nothing new while the other can be read.
    copy = s1_rtc(root / "near")
    summary = cut(store, root)
    assert (summary.scenes, summary.scenes_replaced) == (2, 1)
    server.set(failing="tiff$")
    change_item(far, lambda item: item["properties"].update(note="changed"))
    for _ in range(2):
        assert cut(store, root).scenes == 2
        assert read_manifest(store, SENTINEL1)["acquisition"].is_unique
    assert copy.exists()
