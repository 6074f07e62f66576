"""A STAC API that is asked again and again: what is asked for, what is remembered, what is found and missed."""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from jepa_core.archive import stac_memory, stac_watch
from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.stac import find_sources
from jepa_core.archive.stac_memory import Memory
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.trouble import MachineError
from tests.http_server import serving
from tests.jepa_core.faults.scenes import change_item, s1_rtc, s2_stac

START = datetime(2026, 1, 1, tzinfo=UTC)
DIALECTS = ["query", "filter"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """An item of each sensor."""
    root = tmp_path_factory.mktemp("models")
    found = {}
    for sensor, path in ((SENTINEL1, s1_rtc(root)), (SENTINEL2, s2_stac(root))):
        change_item(path, lambda item: [a.update(href=f"https://x.org/{a['href']}") for a in item["assets"].values()])
        found[sensor.name] = json.loads(path.read_text()) | {"links": []}
    return found


@pytest.fixture(autouse=True)
def _never_fresh(monkeypatch):
    """Calls of a test follow each other faster than those of a sensor."""
    monkeypatch.setattr(stac_watch, "FRESH", timedelta(0))
    monkeypatch.setattr(stac_watch, "LEFT_ALONE", timedelta(0))


@pytest.fixture
def api(tmp_path, models):
    (tmp_path / "archive").mkdir()
    with serving(tmp_path / "archive") as server:
        yield Api(tmp_path, models, server)


class Api:
    """A server with items, and an archive that names it."""

    def __init__(self, folder, models, server):
        self.models, self.server = models, server
        self.root, self.memory = folder / "archive", folder / "data" / "catalogues"
        self.items = {}
        self.entry = {"api": f"{server.address}/api"}
        self.name(self.entry)
        server.set(conforms=["query"], items=[])

    def name(self, *entries):
        (self.root / "stac.json").write_text(json.dumps(entries))

    def put(self, name, minutes=0, sensor=SENTINEL1, **properties):
        model = self.models[sensor.name]
        updated = {} if minutes is None else {"updated": (START + timedelta(minutes=minutes)).isoformat()}
        self.items[name] = model | {"id": name, "properties": model["properties"] | updated | properties}
        self.server.set(items=list(self.items.values()))

    def remove(self, name):
        del self.items[name]
        self.server.set(items=list(self.items.values()))

    def archive(self):
        return Archive(self.root, memory=self.memory)

    def listed(self, sensor=SENTINEL1):
        """Ids of what is listed, and how many searches that took."""
        self.server.asked()
        places = sorted(source.place for source in find_sources(self.root, sensor, self.memory))
        return [place.rpartition("/")[2] for place in places], self.server.asked().count("/api/search")

    def as_without_memory(self, sensor=SENTINEL1):
        """Whether places and stamps are those of a listing that remembers nothing."""
        plain, watched = (a.sources(sensor) for a in (Archive(self.root), self.archive()))
        return [(s.place, s.stamp) for s in plain] == [(s.place, s.stamp) for s in watched]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_new_or_changed_is_asked_for_and_nothing_else(api, dialect):
    api.server.set(conforms=[dialect])
    for i in range(6):
        api.put(f"i{i}", minutes=60 * i)
    # A page holds one item.
    assert api.listed() == ([f"i{i}" for i in range(6)], 6)
    assert api.listed() == ([f"i{i}" for i in range(6)], 1)
    api.put("i6", minutes=360)
    assert api.listed() == ([f"i{i}" for i in range(7)], 2)
    before = {s.place: s.stamp for s in api.archive().sources(SENTINEL1)}
    api.put("i0", minutes=361, note="changed")
    assert api.listed()[1] == 2
    after = {s.place: s.stamp for s in api.archive().sources(SENTINEL1)}
    assert [place.rpartition("/")[2] for place in after if after[place] != before[place]] == ["i0"]
    assert api.as_without_memory()


def test_what_is_remembered_is_read_as_what_was_just_listed(api):
    for name in ("a", "b"):
        api.put(name)
    api.listed()
    for plain, watched in zip(Archive(api.root).sources(SENTINEL1), api.archive().sources(SENTINEL1), strict=True):
        assert (plain.place, plain.stamp, plain.remote) == (watched.place, watched.stamp, watched.remote)
        one, other = plain.read(), watched.read()
        assert (one.id, one.rasters, one.product, one.time) == (other.id, other.rasters, other.product, other.time)


def test_both_sensors_and_the_run_that_follows_ask_once(api, monkeypatch):
    api.put("radar")
    api.put("optical", sensor=SENTINEL2)
    monkeypatch.setattr(stac_watch, "FRESH", timedelta(seconds=60))
    assert api.listed(SENTINEL1) == (["radar"], 2)
    assert api.listed(SENTINEL2) == (["optical"], 0)
    assert api.listed(SENTINEL1) == (["radar"], 0)
    api.server.asked()
    api.listed()
    assert api.server.asked() == []


def test_an_item_that_comes_late_is_found_within_the_overlap(api):
    api.put("a", minutes=60)
    api.listed()
    api.put("late", minutes=46)
    assert api.listed() == (["a", "late"], 2)
    api.put("too late", minutes=30)
    assert "too late" not in api.listed()[0]
    _age(api, days=1)
    assert "too late" in api.listed()[0]


def _age(api, **by):
    """Lets the whole listing seem older."""
    (head,) = api.memory.glob("*/head.json")
    said = json.loads(head.read_text())
    said["listed"] = (datetime.fromisoformat(said["listed"]) - timedelta(**by)).isoformat()
    head.write_text(json.dumps(said))


def test_a_withdrawn_item_is_found_by_the_daily_listing(api):
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    api.listed()
    api.remove("i0")
    assert api.listed() == (["i0", "i1", "i2"], 1)
    _age(api, hours=23)
    assert api.listed() == (["i0", "i1", "i2"], 1)
    _age(api, hours=1)
    assert api.listed() == (["i1", "i2"], 2)
    assert api.listed() == (["i1", "i2"], 1)


def test_a_withdrawn_item_is_found_at_once_where_the_api_counts(api):
    api.server.set(counting=True)
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    assert api.listed()[1] == 3
    # What changed, and how many there are.
    assert api.listed()[1] == 2
    api.remove("i0")
    assert api.listed() == (["i1", "i2"], 4)
    assert api.listed() == (["i1", "i2"], 2)
    # One that came later than the overlap, too.
    api.put("late", minutes=0)
    assert api.listed()[0] == ["i1", "i2", "late"]


def test_the_newest_item_withdrawn_is_noticed_at_once(api):
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    api.listed()
    api.remove("i2")
    assert api.listed()[0] == ["i0", "i1"]
    assert api.listed() == (["i0", "i1"], 1)


def test_an_api_without_the_extensions_is_listed_whole_each_time(api):
    api.server.set(conforms=[])
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    for _ in range(3):
        assert api.listed() == (["i0", "i1", "i2"], 3)
    api.remove("i0")
    assert api.listed() == (["i1", "i2"], 2)
    # What was listed again as it was is not written again.
    assert len(list(api.memory.glob("*/*.jsonl.gz"))) == 1


def test_items_without_a_time_of_change_are_listed_whole_each_time(api):
    api.put("a", minutes=0)
    api.put("b", minutes=None)
    for _ in range(2):
        assert api.listed() == (["a", "b"], 2)
    api.put("b", minutes=60)
    api.listed()
    assert api.listed() == (["a", "b"], 1)


def test_a_condition_that_the_api_refuses_is_left_out(api):
    api.put("a")
    api.server.set(refusing=True)
    api.listed()
    api.put("b")
    assert api.listed()[0] == ["a", "b"]


def test_a_time_to_come_hides_nothing(api):
    api.put("wrong", minutes=60 * 24 * 365 * 50)
    api.put("a", minutes=0)
    api.listed()
    api.put("b", minutes=1)
    assert api.listed()[0] == ["a", "b", "wrong"]


@pytest.mark.parametrize("failing", ["/api$", "/api/search"])
def test_an_api_that_is_down_takes_nothing_away_and_is_not_asked_for_a_while(api, monkeypatch, failing):
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    names = api.listed()[0]
    api.server.set(failing=failing)
    found, _ = api.listed()
    assert sorted(found) == sorted([*names, "api"])
    fault = next(s for s in api.archive().sources(SENTINEL1) if s.place == api.entry["api"])
    with pytest.raises(ArchiveError, match=r"/api cannot be listed: APIError"):
        fault.read()
    monkeypatch.setattr(stac_watch, "LEFT_ALONE", timedelta(seconds=60))
    api.server.set(failing="(?!)")
    api.server.asked()
    assert "api" in api.listed(SENTINEL2)[0]
    assert "api" in api.listed()[0]
    monkeypatch.setattr(stac_watch, "LEFT_ALONE", timedelta(0))
    api.put("i3", minutes=180)
    assert api.listed() == ([*names, "i3"], 2)


def test_an_api_that_fails_half_way_gives_what_came_and_is_listed_whole_later(api):
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    whole = list(api.items.values())
    # What is no item at all ends the listing behind the second.
    api.server.set(items=[*whole[:2], 5, whole[2]])
    assert api.listed() == (["api", "i0", "i1"], 3)
    api.server.set(items=whole)
    assert api.listed() == (["i0", "i1", "i2"], 3)


def test_another_search_is_another_memory(api):
    api.put("a", sensor=SENTINEL1)
    api.put("b", sensor=SENTINEL2)
    collections = {item["id"]: item["collection"] for item in api.items.values()}
    api.name(api.entry | {"collections": [collections["a"]]})
    assert [api.listed(sensor)[0] for sensor in (SENTINEL1, SENTINEL2)] == [["a"], []]
    api.name(api.entry | {"collections": [collections["b"]]})
    assert [api.listed(sensor)[0] for sensor in (SENTINEL1, SENTINEL2)] == [[], ["b"]]


@pytest.mark.parametrize(
    "own", [{"query": {"wanted": {"gte": 1}}}, {"query": {"updated": {"lte": "2027-01-01T00:00Z"}}}]
)
def test_conditions_of_the_search_hold_beside_ours(api, own):
    api.put("a", minutes=0, wanted=2)
    api.put("b", minutes=60, wanted=0)
    api.put("c", minutes=120, wanted=2)
    api.name(api.entry | own)
    names = api.listed()[0]
    assert names == (["a", "c"] if "wanted" in own["query"] else ["a", "b", "c"])
    assert api.listed() == (names, 1)
    api.put("d", minutes=180, wanted=0)
    api.put("e", minutes=180, wanted=2)
    assert api.listed()[0] == [*names, *(["e"] if "wanted" in own["query"] else ["d", "e"])]


def test_a_filter_of_the_search_holds_beside_ours(api):
    api.server.set(conforms=["query", "filter"])
    api.name(api.entry | {"filter": {"op": ">=", "args": [{"property": "wanted"}, 1]}})
    api.put("a", minutes=0, wanted=2)
    api.put("b", minutes=60, wanted=0)
    assert api.listed() == (["a"], 1)
    api.put("c", minutes=120, wanted=2)
    assert api.listed() == (["a", "c"], 2)
    assert api.listed() == (["a", "c"], 1)


@pytest.mark.parametrize("harm", ["head", "table", "items", "cut short"])
def test_a_memory_that_is_broken_is_made_anew(api, harm):
    api.put("a")
    api.put("b", minutes=60)
    api.listed()
    pattern = {"head": "head.json", "table": "*.parquet"}.get(harm, "*.jsonl.gz")
    (path,) = api.memory.glob(f"*/{pattern}")
    if harm == "items":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5])
    assert api.listed() == (["a", "b"], 2)
    assert all(source.read() for source in api.archive().sources(SENTINEL1))


def test_files_are_put_together_and_what_no_head_names_is_swept(api, monkeypatch):
    monkeypatch.setattr(stac_memory, "_MOST_FILES", 3)
    monkeypatch.setattr(stac_memory, "_GRACE_S", -60.0)
    for i in range(6):
        api.put(f"i{i}", minutes=60 * i)
        api.listed()
    assert len(list(api.memory.glob("*/*.jsonl.gz"))) == 6
    old = api.archive().sources(SENTINEL1)
    _age(api, days=1)
    api.listed()
    assert len(list(api.memory.glob("*/*"))) == 3
    # A run that began before reads on.
    assert [source.read().id for source in old] == [f"i{i}" for i in range(6)]
    api.put("i0", minutes=600, note="changed")
    _age(api, days=1)
    api.listed()
    monkeypatch.setattr(stac_memory, "_MOST_FILES", 0)
    _age(api, days=1)
    api.listed()
    with pytest.raises(ArchiveError, match="was listed anew since this run began"):
        old[0].read()


def test_items_of_other_missions_are_counted_and_not_kept(api):
    api.server.set(counting=True)
    api.put("a")
    api.put("LC08", minutes=60, constellation="landsat", platform="landsat-8")
    api.items["LC08"]["collection"] = "landsat"
    api.server.set(items=list(api.items.values()))
    assert api.listed() == (["a"], 2)
    assert api.listed() == (["a"], 2)
    (folder,) = api.memory.iterdir()
    assert {name: kept.size > 0 for name, kept in Memory(folder).read().items.items()} == {
        f"{api.items['a']['collection']}/a": True,
        "landsat/LC08": False,
    }


def _ask_often(root, memory, times, found):
    stac_watch.FRESH = timedelta(0)
    for _ in range(times):
        sources = Archive(root, memory=memory).sources(SENTINEL1)
        names = [source.read().id for source in sources]
        found.put(names)


def test_processes_that_ask_at_the_same_time_lose_nothing(api):
    for i in range(4):
        api.put(f"i{i}", minutes=60 * i)
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    workers = [context.Process(target=_ask_often, args=(api.root, api.memory, 15, found)) for _ in range(2)]
    for worker in workers:
        worker.start()
    seen = [found.get(timeout=120) for _ in range(10)]
    for i in range(4, 8):
        api.put(f"i{i}", minutes=60 * i)
        time.sleep(0.1)
    seen += [found.get(timeout=120) for _ in range(20)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert all(set(names) >= {f"i{i}" for i in range(4)} for names in seen)
    assert api.listed()[0] == [f"i{i}" for i in range(8)]
    assert api.as_without_memory()


def test_no_room_for_what_an_api_said_is_a_plain_error(api):
    api.put("a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (1, 1000, 3000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(MachineError, match=r"cannot write to .*catalogues.* make room and run again"):
                api.archive().sources(SENTINEL1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert api.listed() == (["a"], 1)
    assert not [path for path in api.memory.rglob(".tmp-*")]


def test_the_memory_is_lines_of_json_that_zcat_reads(api):
    for i in range(3):
        api.put(f"i{i}", minutes=60 * i)
    api.listed()
    (path,) = api.memory.glob("*/*.jsonl.gz")
    code = "import gzip, json, sys; print([json.loads(line)['id'] for line in gzip.open(sys.argv[1])])"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['i0', 'i1', 'i2']"
    assert os.path.getsize(path) < 20_000
