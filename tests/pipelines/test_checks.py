"""What checks of many scenes look at."""

import os
from itertools import pairwise

from pipelines.checks import _newest_and_even


def test_the_newest_and_an_even_choice_are_looked_at_whatever_there_is(tmp_path):
    files = [tmp_path / f"{i:02d}" for i in range(60)]
    for i, path in enumerate(files):
        path.touch()
        # The newest lie in the middle.
        os.utime(path, (0, 1000 + (i if 20 <= i < 28 else 0)))
    files[13].unlink()
    chosen = _newest_and_even(files)
    assert {0, 59, 13, *range(21, 28)} <= set(chosen)
    assert len(chosen) <= 16
    assert max(b - a for a, b in pairwise(chosen)) <= 9


def test_few_are_all_looked_at(tmp_path):
    files = [tmp_path / str(i) for i in range(8)]
    for path in files:
        path.touch()
    assert _newest_and_even(files) == list(range(8))
    assert _newest_and_even([]) == []
