import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from jepa_core.evaluation.pair_f1 import chance_f1, f1_at_k, pair_f1, rank


def labels(rng, count, classes=6):
    drawn = rng.random((count, classes)) < 0.35
    drawn[np.arange(count), rng.integers(0, classes, count)] = True
    return drawn


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_pair_f1_is_scikit_learn_s(seed):
    rng = np.random.default_rng(seed)
    q, g = labels(rng, 4), labels(rng, 5)
    expected = [[f1_score(a, b, zero_division=0) for b in g] for a in q]
    np.testing.assert_allclose(pair_f1(q, g), expected)


def test_f1_at_k_is_the_mean_over_the_top_k():
    rng = np.random.default_rng(0)
    q, g = labels(rng, 6), labels(rng, 9)
    f1, similarity = pair_f1(q, g), rng.random((6, 9))
    nothing = np.zeros((6, 9), bool)
    for i in range(6):
        best = sorted(range(9), key=lambda j: -similarity[i, j])[:5]
        expected = sum(f1_score(q[i], g[j]) for j in best) / 5
        assert f1_at_k(f1, rank(similarity, nothing, 5))[i] == pytest.approx(expected)


def test_a_perfect_ranking_of_equal_label_sets_is_one():
    same = np.tile([[True, False, True]], (4, 1))
    f1 = pair_f1(same, same)
    assert f1_at_k(f1, rank(np.eye(4), np.eye(4, dtype=bool), 3)).tolist() == [1, 1, 1, 1]


def test_excluded_rows_are_never_ranked_and_ties_go_to_the_lower_row():
    excluded = np.array([[True, False, False, False]])
    assert rank(np.array([[9.0, 1.0, 1.0, 2.0]]), excluded, 3).tolist() == [[3, 1, 2]]
    with pytest.raises(ValueError, match="only 3 gallery patches"):
        rank(np.ones((1, 4)), excluded, 4)


def test_the_chance_floor_is_the_mean_over_all_rankings():
    """Every ordering of a small gallery, one by one."""
    rng = np.random.default_rng(1)
    q, g = labels(rng, 3), labels(rng, 6)
    excluded = np.zeros((3, 6), bool)
    excluded[0, 2] = excluded[1, 5] = True
    f1 = pair_f1(q, g)
    for i in range(3):
        allowed = np.flatnonzero(~excluded[i])
        values = [f1[i, list(order[:3])].mean() for order in itertools.permutations(allowed)]
        assert chance_f1(f1, excluded)[i] == pytest.approx(np.mean(values))


def test_an_unlabelled_patch_is_refused():
    with pytest.raises(ValueError, match="has no label"):
        pair_f1(np.array([[True]]), np.array([[False]]))
