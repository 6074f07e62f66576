import os
import shutil
import uuid

import pytest

from jepa_core.remote import stand_in
from jepa_core.remote.bucket import Bucket
from jepa_core.remote.copy import Copy
from jepa_core.remote.layout import Scope, stays_local
from jepa_core.remote.pull import pull
from jepa_core.remote.push import push
from jepa_core.stages import size_of

ALL = Scope()
SCENE = "patches/sentinel1/scene-1"
FILES = {
    "root.json": "{}",
    f"{SCENE}/patches.parquet": "table",
    f"{SCENE}/pixels.zarr/zarr.json": "{}",
    f"{SCENE}/pixels.zarr/pixels/c/0": "p" * 100,
    "patches/sentinel1/manifest.parquet": "names scene-1",
    "models/crjepa/1/weights": "w",
    "indexes/crjepa/1/segments/1/vectors": "v",
    "indexes/crjepa/1/index.json": "names segment 1",
    "indexes/crjepa/current.json": "names index 1",
    "stages/crjepa_index.json": "record",
    "sets/eurosat-rgb/stages/record.json": "record",
}
LOCAL = {
    "cache/pairs/x": "",
    "training/crjepa/step-1/state": "",
    "mlflow/mlflow.db": "",
    "locks/stage.lock": "",
    "downloads/wheel": "",
    "sets/eurosat-rgb/training/x": "",
    "indexes/crjepa/1/writer.lock": "",
    "models/crjepa/.tmp-2-1-a/weights": "",
}


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def held(root):
    """Content of all files of a copy, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and ".remote" not in path.parts
    }


@pytest.fixture
def machines(tmp_path):
    """Two machines' copies of one root, which one of them has filled."""
    address = f"memory://{uuid.uuid4().hex}/root"
    one, two = (Copy.of(address, tmp_path / name) for name in ("one", "two"))
    write(one.root, FILES | LOCAL)
    pull(one, ALL)
    push(one, ALL)
    return one, two


def test_what_was_sent_comes_back_but_scratch_and_pixels(machines):
    _, two = machines
    pull(two, ALL)
    found = held(two.root)
    assert found.pop(f"{SCENE}/{stand_in.NAME}")
    assert found == {path: text for path, text in FILES.items() if "pixels.zarr" not in path}


def test_pixels_that_were_left_count_and_come_when_they_are_read(machines):
    one, two = machines
    pull(two, ALL)
    sizes = [sum(len(text) for path, text in FILES.items() if path.startswith(SCENE)), size_of(two.root / SCENE)]
    assert sizes[0] == sizes[1]
    stand_in.bring(two.root / SCENE)
    assert held(two.root) == FILES
    assert size_of(two.root / SCENE) == sizes[0]
    assert not pull(two, ALL)
    assert push(two, ALL).sent == ()
    assert push(one, ALL).removed == ()


def test_what_a_killed_fetch_left_beside_its_pixels_is_not_counted_twice(machines):
    _, two = machines
    pull(two, ALL)
    left = (two.root / SCENE / stand_in.NAME).read_text()
    stand_in.bring(two.root / SCENE)
    size = size_of(two.root / SCENE)
    (two.root / SCENE / stand_in.NAME).write_text(left)
    assert size_of(two.root / SCENE) == size
    stand_in.bring(two.root / SCENE)
    assert not (two.root / SCENE / stand_in.NAME).exists()


def test_again_there_is_nothing_to_send_or_to_fetch(machines):
    one, _ = machines
    assert not pull(one, ALL)
    done = push(one, ALL)
    assert (done.sent, done.removed) == ((), ())


def test_only_what_changed_is_sent_and_what_names_it_last(machines):
    one, two = machines
    pull(two, ALL)
    write(
        one.root,
        {
            "stages/crjepa_index.json": "later record",
            "indexes/crjepa/1/index.json": "names segment 2",
            "indexes/crjepa/1/segments/2/vectors": "v2",
            "models/crjepa/1/weights": FILES["models/crjepa/1/weights"],
            "patches/sentinel1/manifest.parquet": "names scene-1 and 2",
            "patches/sentinel1/scene-2/patches.parquet": "table 2",
        },
    )
    (one.root / "indexes/crjepa/1/segments/1/vectors").unlink()
    done = push(one, ALL)
    # Where a storage names objects by their content, weights written anew as they were would not be sent.
    assert [path for path in done.sent if "weights" not in path] == [
        "indexes/crjepa/1/segments/2/vectors",
        "patches/sentinel1/scene-2/patches.parquet",
        "patches/sentinel1/manifest.parquet",
        "indexes/crjepa/1/index.json",
        "stages/crjepa_index.json",
    ]
    assert done.removed == ("indexes/crjepa/1/segments/1/vectors",)
    assert pull(two, ALL)
    assert not (two.root / "indexes/crjepa/1/segments/1").exists()
    assert (two.root / "stages/crjepa_index.json").read_text() == "later record"


def test_a_shard_that_shrinks_comes_after_the_list_of_shards(machines):
    one, _ = machines
    write(one.root, {"indexes/crjepa/1/shard-0/index.json": "all", "indexes/crjepa/1/shards.json": "0"})
    assert list(push(one, ALL).sent)[-2:] == ["indexes/crjepa/1/shard-0/index.json", "indexes/crjepa/1/shards.json"]
    write(
        one.root,
        {
            "indexes/crjepa/1/shard-0/index.json": "less",
            "indexes/crjepa/1/shard-1/index.json": "rest",
            "indexes/crjepa/1/shards.json": "0 and 1",
        },
    )
    assert [path.removeprefix("indexes/crjepa/1/") for path in push(one, ALL).sent] == [
        "shard-1/index.json",
        "shards.json",
        "shard-0/index.json",
    ]


def test_what_is_gone_there_goes_here_and_what_is_new_here_stays(machines):
    one, two = machines
    pull(two, ALL)
    stand_in.bring(two.root / SCENE)
    write(two.root, {"models/crjepa/2/weights": "new here"})
    for path in [path for path in FILES if path.startswith((SCENE, "models/"))]:
        (one.root / path).unlink()
    push(one, ALL)
    pull(two, ALL)
    assert not (two.root / SCENE).exists()
    assert held(two.root)["models/crjepa/2/weights"] == "new here"
    assert push(two, ALL).sent == ("models/crjepa/2/weights",)


def test_a_scene_whose_pixels_were_left_goes_with_them(machines):
    one, two = machines
    pull(two, ALL)
    for path in [path for path in FILES if path.startswith(SCENE)]:
        (one.root / path).unlink()
    push(one, ALL)
    pull(two, ALL)
    assert not (two.root / SCENE).exists()


def test_a_scene_that_is_removed_here_goes_there_with_pixels_that_never_came(machines):
    one, two = machines
    pull(two, ALL)
    for name in ("patches.parquet", stand_in.NAME):
        (two.root / SCENE / name).unlink()
    assert set(push(two, ALL).removed) == {path for path in FILES if path.startswith(SCENE)}
    pull(one, ALL)
    assert not (one.root / SCENE).exists()


def test_where_both_sides_changed_theirs_counts(machines):
    one, two = machines
    pull(two, ALL)
    write(one.root, {"patches/sentinel1/manifest.parquet": "theirs"})
    write(two.root, {"patches/sentinel1/manifest.parquet": "never sent", "stages/patch_pairs.json": "new here"})
    push(one, ALL)
    pull(two, ALL)
    assert (two.root / "patches/sentinel1/manifest.parquet").read_text() == "theirs"
    assert (two.root / "stages/patch_pairs.json").read_text() == "new here"


def test_what_is_lost_here_by_accident_comes_again_and_is_not_removed_there(machines):
    _, two = machines
    pull(two, ALL)
    (two.root / "models/crjepa/1/weights").unlink()
    pull(two, ALL)
    assert (two.root / "models/crjepa/1/weights").exists()
    assert push(two, ALL).removed == ()


def test_a_file_beside_another_writers_work_is_only_added(machines):
    one, two = machines
    pull(two, Scope(("models/",)))
    (two.root / "models/crjepa/1/weights").unlink()
    write(one.root, {"stages/crjepa_index.json": "later record"})
    push(one, ALL)
    pull(two, Scope(("models/", "stages/")), gently=True)
    assert sorted(held(two.root)) == ["stages/crjepa_index.json"]
    write(one.root, {"stages/crjepa_index.json": "still later"})
    push(one, ALL)
    assert not pull(two, Scope(("models/", "stages/")), gently=True)


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


def test_a_part_is_fetched_alone(machines):
    _, two = machines
    pull(two, Scope(("indexes/crjepa/", "root.json"), ("indexes/crjepa/1/segments/",)))
    assert sorted(held(two.root)) == ["indexes/crjepa/1/index.json", "indexes/crjepa/current.json", "root.json"]


def test_a_file_that_was_only_touched_is_known_again_after_it_was_sent(machines):
    _, two = machines
    pull(two, ALL)
    os.utime(two.root / "root.json")
    assert "root.json" in push(two, ALL).sent
    assert not pull(two, ALL)


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
