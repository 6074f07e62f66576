import os

from jepa_core.remote import stand_in
from jepa_core.remote.layout import Scope
from jepa_core.remote.pull import pull
from jepa_core.remote.push import push
from tests.jepa_core.remote.roots import ALL, FILES, SCENE, held, write


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
