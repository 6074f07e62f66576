import shutil

import pytest

from jepa_core.remote.bucket import Bucket
from jepa_core.remote.copy import Copy
from jepa_core.remote.layout import stays_local
from jepa_core.remote.pull import pull
from jepa_core.remote.push import push
from tests.jepa_core.remote.roots import ALL, SCENE, held, write

pytestmark = pytest.mark.slow


def test_a_root_that_changes_while_it_is_read_is_read_whole(machines, monkeypatch):
    one, two = machines
    fetch = Bucket.fetch
    turns = iter(range(3))

    def fetch_while_another_sends(bucket, paths, to):
        number = next(turns, None)
        if number is not None:
            write(
                one.root,
                {
                    f"indexes/crjepa/1/segments/{number}-new/vectors": "v",
                    "indexes/crjepa/1/index.json": f"names segment {number}-new",
                },
            )
            for old in one.root.glob("indexes/crjepa/1/segments/*/vectors"):
                if old.parent.name != f"{number}-new":
                    old.unlink()
            push(one, ALL)
        fetch(bucket, paths, to)

    monkeypatch.setattr(Bucket, "fetch", fetch_while_another_sends)
    pull(two, ALL)
    named = (two.root / "indexes/crjepa/1/index.json").read_text().split()[-1]
    assert next(turns, None) is None
    assert (two.root / f"indexes/crjepa/1/segments/{named}/vectors").exists()


class StoppedError(Exception):
    pass


def stop_after(monkeypatch, count):
    """Has objects sent and removed one after the other, and an error where it were more than so many."""
    send, remove, left = Bucket.send, Bucket.remove, [count]

    def one_less():
        if not left[0]:
            raise StoppedError
        left[0] -= 1

    def send_one_by_one(bucket, files, paths):
        for file, path in zip(files, paths, strict=True):
            one_less()
            send(bucket, [file], [path])

    def remove_one_by_one(bucket, paths):
        for path in paths:
            one_less()
            remove(bucket, [path])

    monkeypatch.setattr(Bucket, "send", send_one_by_one)
    monkeypatch.setattr(Bucket, "remove", remove_one_by_one)


@pytest.mark.parametrize("count", range(9))
def test_a_push_that_ends_after_any_object_leaves_one_state_whole(machines, tmp_path, monkeypatch, count):
    one, two = machines
    write(
        one.root,
        {
            "indexes/crjepa/1/index.json": "names segment 2",
            "indexes/crjepa/1/segments/2/vectors": "v2",
            "patches/sentinel1/manifest.parquet": "names scene-2",
            "patches/sentinel1/scene-2/patches.parquet": "table 2",
        },
    )
    (one.root / "indexes/crjepa/1/segments/1/vectors").unlink()
    shutil.rmtree(one.root / SCENE)
    # Four to send, four to remove.
    with monkeypatch.context() as patched:
        stop_after(patched, count)
        if count < 8:
            with pytest.raises(StoppedError):
                push(one, ALL)
        else:
            push(one, ALL)
    pull(two, ALL)
    segment = (two.root / "indexes/crjepa/1/index.json").read_text().split()[-1]
    assert (two.root / f"indexes/crjepa/1/segments/{segment}/vectors").exists()
    scene = (two.root / "patches/sentinel1/manifest.parquet").read_text().split()[-1]
    assert (two.root / f"patches/sentinel1/{scene}/patches.parquet").exists()
    # The next one does the rest, also in another process, which looks at the root first.
    again = Copy.of(one.bucket.address, one.root)
    pull(again, ALL)
    push(again, ALL)
    assert not (one.root / SCENE).exists()
    pull(two, ALL)
    assert held(two.root) == {path: text for path, text in held(one.root).items() if not stays_local(path)}
