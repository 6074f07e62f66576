from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.splits import split_of_cell
from jepa_core.tables import PAIRS, validated

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def patches(prefix, rows):
    """Rows of (cell, hours after the epoch, valid fraction, partner)."""
    return pd.DataFrame(
        {
            "patch_id": pd.Series([f"{prefix}{i}" for i in range(len(rows))], dtype="str"),
            "cell_id": pd.Series([f"c{row[0]}" for row in rows], dtype="str"),
            "time": pd.to_datetime([EPOCH + timedelta(hours=row[1]) for row in rows], utc=True),
            "split": pd.Series([split_of_cell(f"c{row[0]}") for row in rows], dtype="str"),
            "valid_fraction": [float(row[2]) for row in rows],
            "partner": pd.Series([row[3] for row in rows], dtype="str"),
        }
    )


def reference(a, b, max_days):
    """Every candidate by distance and ids, taken where both patches are still free."""
    candidates = sorted(
        (abs(x.time - y.time), x.patch_id, y.patch_id)
        for x in a.itertuples()
        for y in b.itertuples()
        if x.cell_id == y.cell_id and abs(x.time - y.time) <= timedelta(days=max_days)
    )
    taken, chosen = set(), set()
    for _, x, y in candidates:
        if x not in taken and y not in taken:
            taken |= {x, y}
            chosen.add((x, y))
    return chosen


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 120), st.just(1.0), st.none()), max_size=12)


@settings(max_examples=150, deadline=None)
@given(ROWS, ROWS)
def test_pairs_are_those_of_the_plain_greedy_rule(rows_a, rows_b):
    a, b = patches("a", rows_a), patches("b", rows_b)
    pairs = pair_patches(a, b, PairingConfig(max_days=2))
    assert set(zip(pairs["patch_a"], pairs["patch_b"], strict=True)) == reference(a, b, 2)
    shuffled = pair_patches(a.sample(frac=1, random_state=1), b.iloc[::-1], PairingConfig(max_days=2))
    pd.testing.assert_frame_equal(pairs, shuffled)
    validated(pairs, PAIRS, "pairs")


def test_a_ready_made_set_s_pairs_stand_however_far_apart_and_their_patches_are_spoken_for():
    a = patches("a", [(0, 0, 1, "b1"), (0, 1, 1, None)])
    b = patches("b", [(0, 0, 1, None), (0, 24 * 30, 1, "a0")])
    pairs = pair_patches(a, b, PairingConfig())
    assert pairs[["patch_a", "patch_b"]].values.tolist() == [["a0", "b1"], ["a1", "b0"]]
    assert pairs["days_apart"].tolist() == pytest.approx([30, -1 / 24])


def test_patches_with_little_valid_are_not_paired():
    a = patches("a", [(0, 0, 0.4, "b0"), (1, 0, 0.5, "b1")])
    b = patches("b", [(0, 0, 1, "a0"), (1, 0, 1, "a1")])
    assert pair_patches(a, b, PairingConfig())["patch_a"].tolist() == ["a1"]


@given(st.sets(st.text(min_size=1), min_size=1, max_size=50))
def test_a_cell_is_always_in_the_same_part(cells):
    assert {c: split_of_cell(c) for c in cells} == {c: split_of_cell(c) for c in cells}


def test_the_parts_have_their_shares():
    parts = pd.Series([split_of_cell(f"32633-{i}") for i in range(20000)]).value_counts(normalize=True)
    assert parts["train"] == pytest.approx(0.8, abs=0.01)
    assert parts["val"] == pytest.approx(0.1, abs=0.01)
    assert parts["test"] == pytest.approx(0.1, abs=0.01)
