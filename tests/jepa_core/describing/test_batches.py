from hypothesis import given
from hypothesis import strategies as st

from jepa_core.describing.batches import Piece, scene_batches


def test_small_scenes_fill_a_batch_together():
    assert list(scene_batches([3, 2, 3, 1], 4)) == [
        [Piece(0, 0, 3), Piece(1, 0, 1)],
        [Piece(1, 1, 2), Piece(2, 0, 3)],
        [Piece(3, 0, 1)],
    ]


def test_a_large_scene_begins_a_batch_and_what_is_left_of_it_is_filled_up():
    assert list(scene_batches([1, 9, 2], 4)) == [
        [Piece(0, 0, 1)],
        [Piece(1, 0, 4)],
        [Piece(1, 4, 8)],
        [Piece(1, 8, 9), Piece(2, 0, 2)],
    ]


@given(st.lists(st.integers(0, 20)), st.integers(1, 8))
def test_every_patch_is_in_one_batch_in_order_and_none_is_too_large(counts, size):
    batches = list(scene_batches(counts, size))
    patches = [(p.scene, i) for batch in batches for p in batch for i in range(p.start, p.stop)]
    assert patches == [(scene, i) for scene, count in enumerate(counts) for i in range(count)]
    assert all(0 < sum(p.stop - p.start for p in batch) <= size for batch in batches)
