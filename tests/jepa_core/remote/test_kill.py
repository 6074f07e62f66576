"""Sends and fetches that are killed at each of their steps."""

import shutil
import signal

import pytest

from jepa_core.index.sync import compact, current_index, open_current, verify
from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.remote import scopes, session
from jepa_core.remote.bucket import Bucket
from jepa_core.remote.copy import Copy
from jepa_core.remote.layout import Scope
from jepa_core.remote.push import push
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.stages import size_of
from jepa_core.store import Store
from jepa_core.tables import SCENES, write_table
from tests.jepa_core.remote.conftest import index, run_python

# Sends one object after the other, and kills itself where so many were sent or removed.
SEND = """
import os, signal, sys
from pathlib import Path
from jepa_core.remote import scopes
from jepa_core.remote.bucket import Bucket
from jepa_core.remote.session import write
left = [int(sys.argv[3])]
def counted(do):
    def one_by_one(bucket, *lists):
        for items in zip(*lists):
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            do(bucket, *([item] for item in items))
            left[0] -= 1
    return one_by_one
send, remove = Bucket.send, Bucket.remove
Bucket.send = counted(send)
Bucket.remove = lambda b, paths: (remove if paths and ".lease" in paths[0] else counted(remove))(b, paths)
with write(sys.argv[1], Path(sys.argv[2]), scopes.of_stage("crjepa_index"), print):
    pass
"""

# Kills itself where so many files were put in place.
FETCH = """
import os, signal, sys
from pathlib import Path
from jepa_core.remote import pull, scopes
from jepa_core.remote.session import read
left, place = [int(sys.argv[3])], pull.place
def counted(*arguments):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return place(*arguments)
pull.place = counted
read(sys.argv[1], Path(sys.argv[2]), scopes.of_stage("crjepa_index"), print)
"""


class StoppedError(Exception):
    pass


def change(store, trained):
    """A scene goes, one is cut again, and the index is brought in line and compacted: nothing of it has an old name."""
    root, manifest = store.patches(SENTINEL2), read_manifest(store, SENTINEL2)
    shutil.rmtree(root / manifest.loc[0, "folder"])
    old, new = manifest.loc[1, "folder"], f"{manifest.loc[1, 'scene_id']}-000000000000"
    (root / old).rename(root / new)
    described = store.descriptors("crjepa", trained.fingerprint) / "sentinel2"
    (described / f"{old}.parquet").rename(described / f"{new}.parquet")
    manifest.loc[1, ["folder", "holds"]] = [new, "0" * 64]
    write_table(manifest.iloc[1:], SCENES, root / "manifest.parquet")
    index(store, trained)
    compact(store, "crjepa")


def state_of(address, root):
    """Whether a reader that has nothing yet finds the old state or the new; it finds one of them whole."""
    session.read(address, root, scopes.of_stage("crjepa_index"), print)
    store = Store.at(root)
    current = current_index(store, "crjepa")
    verify(current)
    opened = open_current(current)
    manifest = read_manifest(store, SENTINEL2)
    for folder, size in zip(manifest["folder"], manifest["bytes"], strict=True):
        assert size_of(store.patches(SENTINEL2) / folder) == size
    assert len(read_patches(store, SENTINEL2)) == manifest["patches"].sum()
    assert opened.count(SENTINEL1) == 24
    return opened.count(SENTINEL2), len(manifest)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_push_killed_at_any_moment_leaves_the_old_or_the_new_state_and_the_next_completes_it(
    address, sent, trained, tmp_path, monkeypatch
):
    def stop(*_):
        raise StoppedError

    # The work is done, and its push ends before the first object.
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "send", stop)
        with pytest.raises(StoppedError), session.write(address, sent.root, scopes.of_stage("crjepa_index"), print):
            change(sent, trained)
    states = []
    while True:
        run = run_python(SEND, address, str(sent.root), "3")
        run.communicate(timeout=120)
        states.append(state_of(address, tmp_path / f"reader-{len(states)}"))
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL
    # Patches and index are two stages' work: between them, as on a disk, the one is new and the other old.
    assert states[0] == (24, 8)
    assert states[-1] == (21, 7)
    assert states == sorted(states, reverse=True)
    assert len(states) > 5
    # Nothing is left over that the first machine does not have.
    there = Copy.of(address, sent.root).bucket.list(Scope())
    assert set(there) == set(Copy.of(address, sent.root).files(Scope()))
    assert push(Copy.of(address, sent.root), Scope()).sent == ()


def test_a_fetch_killed_at_any_moment_is_made_good_by_the_next(address, sent, tmp_path):
    reader = tmp_path / "reader"
    for step in (0, 1, 12, 30):
        run = run_python(FETCH, address, str(reader), str(step))
        run.communicate(timeout=120)
        assert run.returncode == -signal.SIGKILL
    assert state_of(address, reader) == (24, 8)
    assert not list(reader.rglob(".tmp-*"))
    copy = Copy.of(address, reader)
    done = push(copy, Scope())
    assert (done.sent, done.removed) == ((), ())
