"""Scenes that come, change and go, against a plain dictionary of scenes."""

import gc
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.index import (
    BrokenIndexError,
    Change,
    FingerprintMismatchError,
    IndexBusyError,
    IndexWriteError,
    open_index,
    rebuild,
    sensor_index,
    writer,
    writing,
)
from jepa_core.index import incoming as incoming_module
from jepa_core.index.state import SegmentState
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.vectors import DescriptorError
from tests.jepa_core.index.scenes import MODEL, plain_search, scene


def apply(folder, added=(), withdrawn=(), model=MODEL, sensor="sentinel2"):
    with writing(folder) as changing:
        return changing.apply("crjepa", model, {sensor: Change(added, withdrawn)})


def files_of(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def small_sizes(monkeypatch):
    """Lists, several segments and their being put together, with hundreds of vectors."""
    monkeypatch.setattr(sensor_index, "EXACT_BELOW", 60)
    monkeypatch.setattr(incoming_module, "SEGMENT_ROWS", 150)
    monkeypatch.setattr(rebuild, "_SMALLEST", 8)


@pytest.mark.parametrize("lists", [False, True])
def test_kinds_may_differ_in_length(tmp_path, lists, small_sizes):
    count = 200 if lists else 20
    short = [scene(f"o{i}", count, i, dimension=8, first=1000 * i) for i in range(2)]
    long = [scene(f"o{i}", count, 5 + i, dimension=16, first=1000 * i) for i in range(2)]
    scenes = [
        replace(a, vectors={"same": a.vectors["same"], "cross": b.vectors["cross"]})
        for a, b in zip(short, long, strict=True)
    ]
    for one in scenes:
        apply(tmp_path, [one])
    with writing(tmp_path) as changing:
        changing.compact()
    index = open_index(tmp_path)
    assert index.state.dimensions == {"same": 8, "cross": 16}
    assert bool(index.state.sensors["sentinel2"].coarse) == lists
    for kind, dimension in index.state.dimensions.items():
        queries = scenes[1].vectors[kind][:4]
        ids, _ = plain_search(scenes, queries, kind, 1)
        assert index.search(queries, MODEL, kind, SENTINEL2, 1).patch_ids == ids
        wrong = np.eye(12, dtype="float32")[:2]
        with pytest.raises(JepaError, match=re.escape(f"queries have the shape (2, 12), not (n, {dimension})")):
            index.search(wrong, MODEL, kind, SENTINEL2, 1)


class Archive(RuleBasedStateMachine):
    """Changes of all kinds; the index has to hold what the dictionary holds, no less and no more."""

    @initialize()
    def begin(self):
        # Written to memory where there is such a place: hundreds of changes wait for the disk each.
        root = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
        self.folder = root / f"jepa-index-{id(self)}"
        self.scenes = {}
        self.number = 0

    def teardown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def new(self, name, count):
        self.number += 1
        return scene(name, count, seed=self.number, dimension=8, first=1000 * int(name), mark=str(self.number))

    @rule(names=st.sets(st.integers(0, 11), min_size=1, max_size=4), count=st.integers(1, 40))
    def add_or_replace(self, names, count):
        coming = {str(name): self.new(str(name), count) for name in sorted(names)}
        done = apply(self.folder, coming.values())
        assert done.scenes_replaced == len(coming.keys() & self.scenes.keys())
        assert done.scenes_added == len(coming) - done.scenes_replaced
        self.scenes |= coming

    @precondition(lambda self: self.scenes)
    @rule(names=st.sets(st.integers(0, 11), max_size=4))
    def withdraw(self, names):
        gone = {str(name) for name in names}
        assert apply(self.folder, (), gone).scenes_withdrawn == len(gone & self.scenes.keys())
        self.scenes = {name: kept for name, kept in self.scenes.items() if name not in gone}

    @precondition(lambda self: self.scenes)
    @rule(name=st.integers(0, 11), count=st.integers(1, 40))
    def add_and_withdraw_at_once(self, name, count):
        gone = next(iter(self.scenes))
        coming = self.new(str(name), count)
        apply(self.folder, [coming], [gone])
        # What comes in stays, even under a name that is also withdrawn.
        self.scenes = {k: v for k, v in self.scenes.items() if k != gone} | {str(name): coming}

    @precondition(lambda self: self.scenes)
    @rule()
    def compact(self):
        with writing(self.folder) as changing:
            changing.compact()
        parts = open_index(self.folder).state.sensors["sentinel2"].segments
        assert sum(part.withdrawn_rows for part in parts) == 0

    @precondition(lambda self: self.number)
    @invariant()
    def holds_what_the_dictionary_holds(self):
        index = open_index(self.folder)
        with writing(self.folder) as changing:
            assert changing.scenes("sentinel2") == {name: kept.mark for name, kept in self.scenes.items()}
        assert index.count(SENTINEL2) == sum(len(kept.patches) for kept in self.scenes.values())
        if not self.scenes:
            return
        side = index.sensors["sentinel2"]
        query = scene("q", 1, self.number, dimension=8).vectors["cross"]
        ids, cosines = plain_search(list(self.scenes.values()), query, "cross", 10**6)
        scores, rows = side.exact(query, "cross", len(ids[0]), side.alive(sensor_index.Filter()))
        # Every patch once, each with the cosine of its present vector.
        order = np.argsort(ids[0])
        found = [patch.patch_id for patch in side.patches(rows[0])]
        assert sorted(found) == sorted(ids[0])
        np.testing.assert_allclose(scores[0][np.argsort(found)], cosines[0][order], atol=1e-5)
        for kept in list(self.scenes.values())[:3]:
            name = kept.patches["patch_id"].iloc[-1]
            hits = index.search(kept.vectors["same"][-1:], MODEL, "same", SENTINEL2, 5)
            # The lists that it lies in are the nearest to itself.
            assert hits.patch_ids[0][0] == name
            assert len(set(hits.patch_ids[0])) == min(5, len(ids[0]))


@pytest.mark.usefixtures("small_sizes")
@pytest.mark.parametrize(
    ("examples", "steps"), [(3, 15), pytest.param(12, 40, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_nothing_is_lost_doubled_or_raised_from_the_dead(examples, steps):
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True)
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Archive, settings=chosen)


def test_a_change_costs_files_of_the_change_only(tmp_path):
    apply(tmp_path, [scene(f"o{i}", 50, i, first=50 * i) for i in range(20)])
    before = files_of(tmp_path)
    apply(tmp_path, [scene("o20", 30, 99, first=2000)], ["o3"])
    after = files_of(tmp_path)
    new = [path for path in after if path not in before]
    assert [path for path in before if path in after and before[path] != after[path]] == [tmp_path / "index.json"]
    assert {path.parent.name for path in new} == {"00000002-new1"}
    assert all(path in after for path in before)


def test_the_same_again_changes_nothing(tmp_path):
    apply(tmp_path, [scene("o0", 5, 0)])
    before = files_of(tmp_path)
    done = apply(tmp_path, (), ["nothing"])
    assert (done.scenes_added, done.scenes_replaced, done.scenes_withdrawn, done.patches) == (0, 0, 0, 5)
    assert files_of(tmp_path) == before


def test_a_reader_goes_on_undisturbed_while_all_that_it_reads_is_replaced(tmp_path):
    scenes = [scene(f"o{i}", 50, i, first=50 * i) for i in range(4)]
    apply(tmp_path, scenes)
    reader = open_index(tmp_path)
    query = scenes[2].vectors["cross"][:3]
    before = reader.search(query, MODEL, "cross", SENTINEL2, 7)
    apply(tmp_path, [scene("o9", 10, 9, first=900)], ["o0", "o1", "o2"])
    with writing(tmp_path) as changing:
        changing.compact()
    assert not any((tmp_path / "segments" / part.name).exists() for part in reader.state.sensors["sentinel2"].segments)
    assert reader.search(query, MODEL, "cross", SENTINEL2, 7) == before
    assert reader.vector("o2_120", "same", SENTINEL2).shape == (1, 16)
    assert open_index(tmp_path).patch("o2_120", SENTINEL2) is None


def bad(**fields):
    whole = scene("o1", 3, 1, first=100)
    return incoming_module.SceneVectors(**{**vars(whole), **fields})


NAN = {kind: np.full((3, 16), np.nan, "float32") for kind in ("same", "cross")}


@pytest.mark.parametrize(
    ("coming", "error", "says"),
    [
        ([bad(vectors=NAN)], DescriptorError, "3 of 3 same descriptors of sentinel2 scene o1 are not finite unit"),
        ([scene("o1", 3, 1, dimension=8)], DescriptorError, r"o1 have the shape \(3, 8\), not \(3, 16\)"),
        ([scene("o1", 3, 1, kinds=("same",))], DescriptorError, "are of the kinds same, not same, cross"),
        ([scene("o1", 3, 1), scene("o1", 3, 1)], BrokenIndexError, "o1 comes twice"),
        ([bad(patches=scene("o0", 3, 0).patches)], BrokenIndexError, r"o0_0 \(new\) and o0_0 \(of sentinel2 scene o0"),
        ([bad(patches=scene("r0", 3, 0).patches)], BrokenIndexError, r"r0_0 \(of sentinel1 scene r0\) have the same"),
        ([scene("o1", 3, 1), bad(scene_id="o2")], BrokenIndexError, r"o1_10\d and o1_10\d have the same id"),
    ],
)
def test_what_is_wrong_with_a_scene_is_said_and_the_index_is_unharmed(tmp_path, coming, error, says):
    apply(tmp_path, [scene("r0", 3, 5)], sensor="sentinel1")
    apply(tmp_path, [scene("o0", 40, 0)])
    before = files_of(tmp_path)
    if "o1_10" in says:
        coming = [scene("o1", 3, 1, first=100), coming[1]]
    with pytest.raises(error, match=says):
        apply(tmp_path, coming)
    assert files_of(tmp_path) == before
    assert open_index(tmp_path).count(SENTINEL1) == 3


def test_descriptors_of_another_model_are_refused_by_name(tmp_path):
    apply(tmp_path, [scene("o0", 3, 0)])
    with pytest.raises(FingerprintMismatchError, match=r"descriptors of model bbbbbbbbbbbb .* aaaaaaaaaaaa"):
        apply(tmp_path, [scene("o1", 3, 1)], model="b" * 64)


def test_a_full_disk_is_said_and_the_index_is_unharmed(tmp_path, small_sizes):
    old, coming = [scene("o0", 200, 0)], [scene("o1", 200, 1, first=1000)]
    # How large the files become: a disk may be full just before the last byte of each.
    apply(tmp_path / "roomy", old)
    apply(tmp_path / "roomy", coming)
    sizes = {path.stat().st_size for path in (tmp_path / "roomy").rglob("*") if path.is_file()}
    index = tmp_path / "index"
    apply(index, old)
    before = files_of(index)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in [1, *(size - 50 for size in sorted(sizes) if size > 50)]:
        # No file may grow beyond it: what the system says when a disk is full comes at the same calls.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(IndexWriteError, match=r"cannot write to the index .* it is as it was: make room"):
                apply(index, coming)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert files_of(index) == before
    apply(index, coming)
    assert open_index(index).count(SENTINEL2) == 400


def test_a_folder_that_may_not_be_written_to_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexWriteError, match="cannot write to the index"):
        apply(tmp_path / "file" / "index", [scene("o0", 3, 0)])


def test_a_scene_that_comes_without_patches_takes_the_old_ones_away(tmp_path):
    apply(tmp_path, [scene("o0", 20, 0), scene("o1", 5, 1, first=100)])
    done = apply(tmp_path, [scene("o0", 0, 7)])
    assert (done.scenes_added, done.scenes_replaced, done.scenes_withdrawn, done.patches) == (0, 0, 1, 5)
    assert open_index(tmp_path).patch("o0_0", SENTINEL2) is None


def test_an_index_may_be_empty_and_grow_again(tmp_path):
    assert apply(tmp_path).patches == 0
    apply(tmp_path, [scene("o0", 5, 0)])
    assert apply(tmp_path, (), ["o0"]).patches == 0
    with pytest.raises(UnknownNameError, match="no sentinel2 patches"):
        open_index(tmp_path).search(scene("q", 1, 1).vectors["same"], MODEL, "same", SENTINEL2, 3)
    apply(tmp_path, [scene("o1", 7, 1)])
    assert open_index(tmp_path).count(SENTINEL2) == 7


def test_what_is_closed_is_unmapped(tmp_path, small_sizes):
    apply(tmp_path, [scene("o0", 300, 0)])

    def mapped():
        return sum(str(tmp_path) in line for line in Path("/proc/self/maps").read_text().splitlines())

    for _ in range(3):
        reader = open_index(tmp_path)
        reader.search(scene("q", 1, 1).vectors["same"], MODEL, "same", SENTINEL2, 3)
        assert mapped() > 0
        del reader
        gc.collect()
        assert mapped() == 0


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([100, 100, 100], []),
        ([100, 100, 100, 100], [0, 1, 2, 3]),
        ([255_000] * 4 + [70_000] * 5, [4, 5, 6, 7, 8]),
        ([255_000] * 4, []),
        ([900_000] * 6, []),
    ],
)
def test_segments_of_about_one_size_are_put_together_as_far_as_they_fit(sizes, chosen):
    segments = [SegmentState(str(i), rows, (), 0, {}) for i, rows in enumerate(sizes)]
    # 255,000 and 70,000 are of one size; with three of the large ones a segment would be too large.
    found = rebuild._to_put_together(segments)
    assert found[: len(chosen)] == chosen if not chosen else set(chosen) <= set(found)
    assert sum(sizes[i] for i in found) <= incoming_module.SEGMENT_ROWS


@pytest.mark.parametrize("file", ["same.vectors", "rows.arrow", "scenes.parquet", "same.lists", "cross.assigned.npy"])
@pytest.mark.parametrize("harm", ["truncated", "gone", "scrambled"])
def test_a_broken_file_is_named_and_the_next_change_builds_anew(tmp_path, small_sizes, file, harm):
    apply(tmp_path, [scene("o0", 300, 0)])
    path = next(tmp_path.glob(f"segments/*/{file}"))
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if harm == "truncated" else b"\0" * len(content))
    with pytest.raises(BrokenIndexError, match=rf"{path.parent.name}.*Run: dagster asset materialize --select crjepa"):
        open_index(tmp_path)
    with writing(tmp_path) as changing:
        assert changing.drop_if_broken() is not None
        changing.apply("crjepa", MODEL, {"sentinel2": Change([scene("o0", 300, 0)])})
        assert changing.drop_if_broken() is None
    assert open_index(tmp_path).count(SENTINEL2) == 300


def test_an_index_of_another_version_and_none_at_all_are_named(tmp_path):
    with pytest.raises(BrokenIndexError, match="no index at"):
        open_index(tmp_path)
    (tmp_path / "index.json").write_text('{"variant": "crjepa"}')
    (tmp_path / "same-sentinel1.faiss").write_text("of an earlier version")
    with pytest.raises(BrokenIndexError, match="written by another version; materialize it again"):
        open_index(tmp_path)
    apply(tmp_path, [scene("o0", 3, 0)])
    assert open_index(tmp_path).count(SENTINEL2) == 3
    assert not (tmp_path / "same-sentinel1.faiss").exists()


HOLD = """
import sys, time
from pathlib import Path
from jepa_core.index.writer import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_of_two_writers_one_is_refused_by_name_or_waits(tmp_path, monkeypatch):
    apply(tmp_path, [scene("o0", 3, 0)])
    other = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(writer, "PATIENCE_S", 0.3)
        told = []
        with (
            pytest.raises(IndexBusyError, match=rf"process {other.pid} on .* is still writing to {tmp_path} after"),
            writing(tmp_path, told.append),
        ):
            pass
        assert len(told) == 1
        assert re.match(rf"process {other.pid} on .* is writing to {tmp_path}; waiting for it to end", told[0])
        # Readers need not wait.
        assert open_index(tmp_path).count(SENTINEL2) == 3
    finally:
        other.kill()
        other.wait()
    # What a killed writer held is free.
    apply(tmp_path, [scene("o1", 3, 1)])
