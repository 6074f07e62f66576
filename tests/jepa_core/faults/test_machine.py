"""A full disk, too few open files, a disk that does not answer: the machine's faults are not the scenes'."""

import errno
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest
from rasterio.errors import RasterioIOError

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError, Scene, Source
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.trouble import MachineError, passes
from tests.jepa_core.faults.scenes import BAD, GOOD, s1_rtc, s2_safe, s2_stac


@contextmanager
def limit(what, value):
    old = resource.getrlimit(what)
    resource.setrlimit(what, (value, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, old)


@pytest.mark.parametrize("size", [1, 3_000, 20_000, 100_000])
def test_files_that_find_no_room_end_the_run_plainly_and_set_nothing_aside(bench, size):
    s1_rtc(bench.root, GOOD)
    bench.cut(SENTINEL1)
    s1_rtc(bench.root, BAD)
    before = bench.scenes(SENTINEL1)
    # No file may grow beyond it: what the system says when a disk is full comes at the same calls.
    with limit(resource.RLIMIT_FSIZE, size), pytest.raises(MachineError, match=r"cannot write to .* make room"):
        bench.cut(SENTINEL1)
    assert bench.scenes(SENTINEL1) == before
    assert bench.quarantined(SENTINEL1) == []
    summary = bench.cut(SENTINEL1)
    assert (summary.scenes, summary.scenes_quarantined) == (2, 0)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_plainly_and_the_next_goes_on(bench, small_disk):
    s1_rtc(bench.root, GOOD)
    store = Store.at(small_disk / "data")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1_000_000))
    sources = Archive(bench.root).sources(SENTINEL1)
    with pytest.raises(MachineError, match=r"No space left on device.*make room and run again"):
        extract(store, sources, SENTINEL1, CutConfig())
    filler.unlink()
    assert not list(small_disk.rglob(".tmp-*"))
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert extract(store, sources, SENTINEL1, CutConfig()).scenes == 1
    assert len(read_manifest(store, SENTINEL1)) == 1


OPEN_FILES = """
import resource, sys
from pathlib import Path
from jepa_core.archive.discover import Archive
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import read_quarantine
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
from jepa_core.trouble import MachineError
root, data = map(Path, sys.argv[1:])
store = Store.at(data)
extract(store, Archive(root / "first").sources(SENTINEL2), SENTINEL2, CutConfig())
sources = Archive(root).sources(SENTINEL2)
held = [open("/dev/null") for _ in range(200)]
last = held[-1].fileno()
for room in range(1, 20):
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + room, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        extract(store, sources, SENTINEL2, CutConfig())
        print("cut with room for", room)
    except MachineError as error:
        print("MachineError", error)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert read_quarantine(store, SENTINEL2).empty, (room, read_quarantine(store, SENTINEL2)["reason"][0])
"""


@pytest.mark.parametrize("write", [s2_stac, pytest.param(s2_safe, marks=pytest.mark.slow)])
def test_too_few_open_files_set_nothing_aside(bench, write):
    (bench.root / "first").mkdir()
    write(bench.root / "first", GOOD)
    write(bench.root, BAD)
    command = [sys.executable, "-c", OPEN_FILES, str(bench.root), str(bench.store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "MachineError" in done.stdout
    assert "Too many open files" in done.stdout


def raising(error):
    """A reader that trips over an error, as the readers do."""

    def read() -> Scene:
        try:
            raise error
        except Exception as cause:
            raise ArchiveError(f"metadata.xml cannot be read: {cause}") from cause

    return read


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_does_not_answer_is_a_fault_that_passes(bench, number):
    s2_stac(bench.root, GOOD)
    good = Archive(bench.root).sources(SENTINEL2)
    for error in (OSError(number, os.strerror(number)), RasterioIOError(f"B02.tif: {os.strerror(number)}")):
        bad = Source(SENTINEL2, "bad", "stamp", raising(error))
        summary = extract(bench.store, [*good, bad], SENTINEL2, CutConfig())
        assert (summary.scenes, summary.scenes_quarantined, summary.scenes_waiting) == (1, 1, 1)
        ((place, reason),) = bench.quarantined(SENTINEL2)
        assert place == "bad"
        assert f"{os.strerror(number)} (tried once in vain, next attempt after" in reason
        extract(bench.store, good, SENTINEL2, CutConfig())


@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), MemoryError("no more")])
def test_want_of_memory_ends_the_run_plainly(bench, error):
    s2_stac(bench.root, GOOD)
    good = Archive(bench.root).sources(SENTINEL2)
    with pytest.raises(MachineError, match="othing was set aside"):
        extract(bench.store, [*good, Source(SENTINEL2, "bad", "s", raising(error))], SENTINEL2, CutConfig())
    assert bench.quarantined(SENTINEL2) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOENT, errno.EINVAL])
def test_what_says_something_of_the_file_does_not_pass(number):
    assert not passes(OSError(number, os.strerror(number)))
    assert not passes(ArchiveError("a file was cut short"))
