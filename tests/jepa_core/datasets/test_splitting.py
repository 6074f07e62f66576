"""Splits of our making."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.datasets.splitting import stratified_splits


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(0, 2**32))
def test_each_stratum_has_its_shares_to_the_row(counts, seed):
    strata = np.repeat(np.arange(len(counts)), counts)
    splits = stratified_splits(strata, seed)
    for stratum, count in enumerate(counts):
        parts = Counter(splits[strata == stratum].tolist())
        assert parts["train"] == count * 7 // 10
        assert parts["train"] + parts["val"] == count * 8 // 10
        assert sum(parts.values()) == count


def test_another_seed_is_another_split():
    strata = np.zeros(100, dtype=int)
    assert np.array_equal(stratified_splits(strata, 1), stratified_splits(strata, 1))
    assert not np.array_equal(stratified_splits(strata, 1), stratified_splits(strata, 2))
