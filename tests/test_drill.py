"""A short drill; `make drill` is the long one."""

import pytest

from tests.drill.rounds import drill


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_after_changes_kills_and_faults_the_index_is_that_of_a_fresh_build(tmp_path):
    found = drill(tmp_path, rounds=4, seconds=1500, seed=2, daemon_every=4)
    assert found.rounds == 4
    assert found.different == [], found.table()
    assert found.vectors > 0
