from jepa_core.remote import stand_in
from jepa_core.remote.pull import pull
from jepa_core.remote.push import push
from jepa_core.stages import size_of
from tests.jepa_core.remote.roots import ALL, FILES, SCENE, held


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
