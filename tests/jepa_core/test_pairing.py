import hashlib
from datetime import UTC, datetime, timedelta
from math import isnan, nan

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core import pairing
from jepa_core.fingerprint import fingerprint
from jepa_core.pairing import PairingConfig, pair_patches, pairs_version
from jepa_core.splits import split_of_cell
from jepa_core.tables import PAIRS, InvalidTableError, validated

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def patches(prefix, rows):
    """Rows of (cell, hours after the epoch, valid fraction, partner) and, where known, cloud fraction."""
    return pd.DataFrame(
        {
            "patch_id": pd.Series([f"{prefix}{i}" for i in range(len(rows))], dtype="str"),
            "cell_id": pd.Series([f"c{row[0]}" for row in rows], dtype="str"),
            "time": pd.to_datetime([EPOCH + timedelta(hours=row[1]) for row in rows], utc=True),
            "split": pd.Series([split_of_cell(f"c{row[0]}") for row in rows], dtype="str"),
            "valid_fraction": [float(row[2]) for row in rows],
            "cloud_fraction": pd.Series([row[4] if len(row) > 4 else nan for row in rows], dtype="float64"),
            "partner": pd.Series([row[3] for row in rows], dtype="str"),
        }
    )


def reference(a, b, config):
    """The rule in plain loops: named pairs, then every candidate by distance and ids, where both are still free."""
    free_a, free_b = ({row.patch_id: row for row in t.itertuples() if usable(row, config)} for t in (a, b))
    named = [(x, free_b[x.partner]) for x in free_a.values() if x.partner in free_b]
    candidates = sorted(
        (abs(x.time - y.time), x.patch_id, y.patch_id)
        for x in free_a.values()
        for y in free_b.values()
        if x.cell_id == y.cell_id and abs(x.time - y.time) <= timedelta(days=config.max_days)
    )
    chosen = {x.patch_id: y.patch_id for x, y in named}
    for _, x, y in candidates:
        if x not in chosen and y not in chosen.values():
            chosen[x] = y
    joined = [(free_a[x], free_b[y]) for x, y in sorted(chosen.items())]
    return [(x.patch_id, y.patch_id, x.cell_id, (y.time - x.time) / timedelta(days=1), x.split) for x, y in joined]


def usable(row, config):
    clear = isnan(row.cloud_fraction) or row.cloud_fraction <= config.max_cloud_fraction
    return clear and row.valid_fraction >= config.min_valid_fraction


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        # Often the very same time, the same distance both ways, and just the longest time or an hour more.
        st.one_of(st.sampled_from([0, 24, 48, 72, 96]), st.integers(0, 120)),
        st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.49]),
        st.none(),
        st.sampled_from([nan, nan, 0.0, 0.3, 0.31]),
    ),
    max_size=14,
)
NAMED = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 15)), unique_by=(lambda n: n[0], lambda n: n[1]), max_size=4
)


@settings(max_examples=80, deadline=None)
@given(ROWS, ROWS, NAMED, st.sampled_from([0.0, 1 / 3, 2.0, 1000.0]), st.sampled_from([1, 6, 1 << 20]))
def test_pairs_are_those_of_the_plain_greedy_rule(rows_a, rows_b, named, max_days, at_once):
    a, b = patches("a", rows_a), patches("b", rows_b)
    a["partner"] = a["patch_id"].map({f"a{i}": f"b{j}" for i, j in named}).astype("str")
    config = PairingConfig(max_days=max_days, max_cloud_fraction=0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "_CANDIDATES_AT_ONCE", at_once)
        pairs = pair_patches(a, b, config)
    expected = pd.DataFrame(reference(a, b, config), columns=list(PAIRS.columns))
    pd.testing.assert_frame_equal(pairs, expected.astype(pairs.dtypes))
    shuffled = pair_patches(a.sample(frac=1, random_state=1), b.iloc[::-1], config)
    pd.testing.assert_frame_equal(pairs, shuffled)
    validated(pairs, PAIRS, "pairs")


def test_the_longest_time_is_allowed_and_a_microsecond_more_is_not():
    a = patches("a", [(0, 0, 1, None), (1, 0, 1, None), (2, 72, 1, None)])
    b = patches("b", [(0, 72, 1, None), (1, 72, 1, None), (2, 0, 1, None)])
    b.loc[1, "time"] += timedelta(microseconds=1)
    pairs = pair_patches(a, b, PairingConfig(max_days=3))
    assert pairs[["patch_a", "days_apart"]].values.tolist() == [["a0", 3.0], ["a2", -3.0]]


def test_earlier_and_later_are_equals_to_the_microsecond():
    a = patches("a", [(0, 1, 1, None), (0, -1, 1, None)])
    b = patches("b", [(0, 0, 1, None)])
    a["time"] = [EPOCH + timedelta(microseconds=1), EPOCH - timedelta(microseconds=1)]
    assert pair_patches(a, b, PairingConfig())["patch_a"].tolist() == ["a0"]
    assert pair_patches(b, a, PairingConfig())["patch_b"].tolist() == ["a0"]


def test_without_patches_on_a_side_there_are_no_pairs_and_the_table_is_whole():
    some, none = patches("a", [(0, 0, 1, "b0")]), patches("b", [])
    for a, b in ((some, none), (none, some), (none, none)):
        pairs = validated(pair_patches(a, b, PairingConfig()), PAIRS, "pairs")
        assert len(pairs) == 0


def test_a_partner_that_two_patches_name_is_an_error_that_says_which():
    a = patches("a", [(0, 0, 1, "b1"), (0, 1, 1, "b1")])
    b = patches("b", [(0, 0, 1, None), (0, 0, 1, None)])
    with pytest.raises(InvalidTableError, match="b1"):
        pair_patches(a, b, PairingConfig())


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


def test_cloudy_patches_are_not_paired_and_unknown_counts_as_clear():
    a = patches("a", [(0, 0, 1, "b0", 0.6), (1, 0, 1, None, 0.5), (2, 0, 1, None)])
    b = patches("b", [(0, 0, 1, "a0", 0.1), (1, 0, 1, None), (2, 0, 1, None, 0.51)])
    assert pair_patches(a, b, PairingConfig(max_cloud_fraction=0.5))["patch_a"].tolist() == ["a1"]
    assert pair_patches(a, b, PairingConfig())["patch_a"].tolist() == ["a0", "a1", "a2"]


@pytest.mark.parametrize("at_once", [1, 3, 1 << 20])
def test_a_version_is_of_the_pairs_and_of_the_scenes_that_they_draw_on(monkeypatch, at_once):
    monkeypatch.setattr(pairing, "_HASHED_AT_ONCE", at_once)
    monkeypatch.setattr(pairing, "_SOUGHT_AT_ONCE", at_once)
    a = patches("a", [(i, 0, 1, None) for i in range(5)]).assign(scene_id=["s0", "s0", "s1", "s1", "s2"])
    b = patches("b", [(i, 0, 1, None) for i in range(4)]).assign(scene_id="s3")
    pairs = pair_patches(a, b, PairingConfig())
    holds = {f"s{i}": f"h{i}" for i in range(4)}
    version = pairs_version(pairs, a, b, holds)
    rows = hashlib.sha256(pd.util.hash_pandas_object(pairs, index=False).to_numpy().tobytes()).hexdigest()
    assert version == fingerprint({"pairs": rows, "scenes": {s: holds[s] for s in ("s0", "s1", "s3")}})
    assert pairs_version(pairs, a, b, holds | {"s2": "new"}) == version
    assert pairs_version(pairs, a, b, holds | {"s1": "new"}) != version
    assert pairs_version(pairs.iloc[:3], a, b, holds) != version


@given(st.sets(st.text(min_size=1), min_size=1, max_size=50))
def test_a_cell_is_always_in_the_same_part(cells):
    assert {c: split_of_cell(c) for c in cells} == {c: split_of_cell(c) for c in cells}


def test_the_parts_have_their_shares():
    parts = pd.Series([split_of_cell(f"32633-{i}") for i in range(20000)]).value_counts(normalize=True)
    assert parts["train"] == pytest.approx(0.8, abs=0.01)
    assert parts["val"] == pytest.approx(0.1, abs=0.01)
    assert parts["test"] == pytest.approx(0.1, abs=0.01)
