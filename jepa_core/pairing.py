"""Patches of two sensors to pairs."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
import pyarrow.compute as pc

from jepa_core import tables
from jepa_core.errors import JepaError
from jepa_core.fingerprint import fingerprint

_CANDIDATES_AT_ONCE = 1 << 20
"""Candidate pairs that are held at a time; more only where a single cell has more."""

_HASHED_AT_ONCE = 1 << 18
"""Rows of pairs that are hashed at a time; no matter for the hash."""

_SOUGHT_AT_ONCE = 1 << 20
"""Patch ids that are looked up at a time; each time the whole table is gone through."""

_SECONDS_PER_DAY = 86_400
_US_PER_DAY = _SECONDS_PER_DAY * 1_000_000

_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


class PairingError(JepaError):
    """Nothing pairs."""


@dataclass(frozen=True)
class PairingConfig:
    """Settings of the pairing."""

    max_days: float = 3.0
    """Longest time between the two acquisitions, days; not applied to pairs that a ready-made set names."""

    min_valid_fraction: float = 0.5
    """Patches with a smaller share of valid pixels are not paired."""

    max_cloud_fraction: float = 1.0
    """Patches with a larger cloud fraction are not paired; unknown counts as clear."""


@dataclass(frozen=True)
class _Side:
    """Patches of one sensor as numbers: arrays of shape (patches,)."""

    row: _Ints
    """Row in the sensor's table."""

    cell: _Ints
    """Code of the cell, the same on both sides."""

    time: _Ints
    """Microseconds since 1970."""

    rank: _Ints
    """Place of the patch id among all of the sensor, sorted."""

    def __len__(self) -> int:
        return len(self.row)

    def sorted_by(self, key: _Ints) -> "_Side":
        order = np.argsort(key)
        return _Side(self.row[order], self.cell[order], self.time[order], self.rank[order])

    def keys(self, times: _Ints) -> _Ints:
        """Numbers in the order of cell, then time: exact, where cell and microseconds in one number would overflow."""
        # One more than there are times, for a window that ends after the last.
        return self.cell * (len(times) + 1) + np.searchsorted(times, self.time)


def pair_patches(a: pd.DataFrame, b: pd.DataFrame, config: PairingConfig) -> pd.DataFrame:
    """Pairs of patches of the same cell, near in time; each patch is in one pair at most.

    Pairs that a ready-made set names stand as they are. The rest are joined by cell and taken nearest in time
    first; of equals, the one whose patch ids sort first (that of `a`, then that of `b`).

    Time grows with the candidates, the pairs of free patches of a cell within `max_days`; memory with the patches,
    and with the candidates of the largest cell where it has over a million.

    Args:
        a: patches of the first sensor (schema `tables.PATCHES`; of its columns only `patch_id`, `cell_id`, `time`,
            `split`, `partner`, `valid_fraction` and `cloud_fraction` are read), in any order.
        b: patches of the second sensor.
        config: thresholds.

    Returns:
        Table of schema `tables.PAIRS`, sorted by `patch_a`.

    Raises:
        InvalidTableError: two patches name the same partner.
    """
    rows_a, rows_b = _paired_rows(a, b, config)
    return _pairs(a, b, rows_a, rows_b)


def pairs_version(pairs: pd.DataFrame, a: pd.DataFrame, b: pd.DataFrame, holds: Mapping[str, str]) -> str:
    """Data version of pairs: of the table and of what the scenes that it draws on hold.

    Args:
        pairs: the pairs.
        a: patches of the first sensor; only `patch_id` and `scene_id` are read.
        b: patches of the second sensor.
        holds: hash of what each scene holds, by scene id.
    """
    scenes = _scenes_of(pairs["patch_a"], a) | _scenes_of(pairs["patch_b"], b)
    rows = hashlib.sha256()
    for start in range(0, len(pairs), _HASHED_AT_ONCE):
        part = pairs.iloc[start : start + _HASHED_AT_ONCE]
        rows.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
    return fingerprint({"pairs": rows.hexdigest(), "scenes": {scene: holds[scene] for scene in sorted(scenes)}})


def _scenes_of(ids: pd.Series, patches: pd.DataFrame) -> set[str]:
    """Scenes of the patches with these ids."""
    # Not pandas' isin, which makes a Python object of each of the ids; and in parts, as the set holds copies.
    known = pyarrow.chunked_array(patches["patch_id"])
    paired = np.zeros(len(patches), dtype=bool)
    for start in range(0, len(ids), _SOUGHT_AT_ONCE):
        part = pyarrow.chunked_array(ids.iloc[start : start + _SOUGHT_AT_ONCE])
        paired |= pc.is_in(known, value_set=part).to_numpy()
    codes, names = pd.factorize(patches["scene_id"])
    return set(names[np.unique(codes[paired])])


def _paired_rows(a: pd.DataFrame, b: pd.DataFrame, config: PairingConfig) -> tuple[_Ints, _Ints]:
    """Rows of the pairs in both tables, sorted by the patch ids of `a`."""
    free_a, free_b = _usable(a, config), _usable(b, config)
    named_a, named_b = _named(a, b, free_a, free_b)
    free_a[named_a] = False
    free_b[named_b] = False
    cells, _ = pd.factorize(pd.concat([a["cell_id"], b["cell_id"]], ignore_index=True))
    rank_a = _ranks(a["patch_id"])
    near_a, near_b = _nearest_first(
        _side(a, free_a, cells[: len(a)], rank_a),
        _side(b, free_b, cells[len(a) :], _ranks(b["patch_id"])),
        config.max_days,
    )
    rows_a, rows_b = np.concatenate([named_a, near_a]), np.concatenate([named_b, near_b])
    order = np.argsort(rank_a[rows_a], kind="stable")
    return rows_a[order], rows_b[order]


def _usable(patches: pd.DataFrame, config: PairingConfig) -> _Mask:
    """Which patches may be paired."""
    clear = ~(patches["cloud_fraction"].to_numpy() > config.max_cloud_fraction)
    return np.asarray(clear & (patches["valid_fraction"].to_numpy() >= config.min_valid_fraction))


def _named(a: pd.DataFrame, b: pd.DataFrame, usable_a: _Mask, usable_b: _Mask) -> tuple[_Ints, _Ints]:
    """Rows in both tables of the usable pairs that `a` names."""
    rows_a = np.flatnonzero(usable_a & a["partner"].notna().to_numpy())
    if not len(rows_a):
        return rows_a, rows_a
    partners = pyarrow.chunked_array(a["partner"]).take(rows_a)
    places = pc.index_in(partners, value_set=pyarrow.chunked_array(b["patch_id"]))
    rows_b = places.fill_null(-1).to_numpy().astype("int64")
    rows_a, rows_b = rows_a[rows_b >= 0], rows_b[rows_b >= 0]
    rows_a, rows_b = rows_a[usable_b[rows_b]], rows_b[usable_b[rows_b]]
    again = pd.Series(rows_b).duplicated().to_numpy()
    if again.any():
        raise tables.InvalidTableError(f"several patches name {b['patch_id'].iloc[rows_b[again][0]]} as their partner")
    return rows_a, rows_b


def _ranks(ids: pd.Series) -> _Ints:
    ranks = np.empty(len(ids), dtype="int64")
    ranks[ids.array.argsort()] = np.arange(len(ids))
    return ranks


def _side(patches: pd.DataFrame, chosen: _Mask, cells: _Ints, ranks: _Ints) -> _Side:
    time = patches["time"].dt.as_unit("us").astype("int64").to_numpy()
    return _Side(np.flatnonzero(chosen), cells[chosen], time[chosen], ranks[chosen])


def _nearest_first(a: _Side, b: _Side, max_days: float) -> tuple[_Ints, _Ints]:
    """Greedy one-to-one choice: the closest pair of a cell, then the closest of what is left.

    Returns:
        Rows of the pairs in both tables.
    """
    if not len(a) or not len(b):
        return np.empty(0, dtype="int64"), np.empty(0, dtype="int64")
    a = a.sorted_by(a.cell)
    times = np.unique(b.time)
    b = b.sorted_by(b.keys(times))
    first, stop = _windows(a, b, times, max_days)
    rows_a, rows_b = [], []
    for block in _blocks(a.cell, stop - first):
        left, right = _candidates(a, b, block, first[block], stop[block])
        taken = _take_in_order(left, right)
        rows_a.append(a.row[left[taken]])
        rows_b.append(b.row[right[taken]])
    return np.concatenate(rows_a), np.concatenate(rows_b)


def _windows(a: _Side, b: _Side, times: _Ints, max_days: float) -> tuple[_Ints, _Ints]:
    """First and one past the last patch of `b`, by cell and time, that each of `a` may be paired with.

    Args:
        a: patches in any order.
        b: patches sorted by cell and time.
        times: (times,) those of `b`, each once, sorted.
        max_days: days, taken to the nearest microsecond.
    """
    span = max(a.time.max(), b.time.max()) - min(a.time.min(), b.time.min())
    reach = round(min(max_days * _US_PER_DAY, span))
    sought, keys = a.cell * (len(times) + 1), b.keys(times)
    first = np.searchsorted(keys, sought + np.searchsorted(times, a.time - reach))
    stop = np.searchsorted(keys, sought + np.searchsorted(times, a.time + reach, side="right"))
    return first, stop


def _blocks(cells: _Ints, candidates: _Ints) -> Iterator[slice]:
    """Runs of whole cells, with as many candidates as are held at a time.

    Args:
        cells: (patches,) sorted codes.
        candidates: (patches,) how many each patch has.
    """
    ends = np.append(np.flatnonzero(np.diff(cells)) + 1, len(cells))
    totals = np.cumsum(candidates)[ends - 1]
    cell = start = done = 0
    while cell < len(ends):
        # A cell that alone has more is a block of its own.
        cell = max(int(np.searchsorted(totals, done + _CANDIDATES_AT_ONCE, side="right")), cell + 1)
        yield slice(start, int(ends[cell - 1]))
        start, done = int(ends[cell - 1]), int(totals[cell - 1])


def _candidates(a: _Side, b: _Side, block: slice, first: _Ints, stop: _Ints) -> tuple[_Ints, _Ints]:
    """All candidate pairs of a block of `a`, in the order of the rule, as places in both sides."""
    counts = stop - first
    left = np.repeat(np.arange(block.start, block.stop), counts)
    right = np.arange(len(left)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    distance = np.abs(b.time[right] - a.time[left])
    # Two sorts by one key: several times faster than numpy's lexsort by three.
    by_ids = np.argsort(a.rank[left] << 32 | b.rank[right])
    order = by_ids[np.argsort(distance[by_ids], kind="stable")]
    return left[order], right[order]


def _take_in_order(left: _Ints, right: _Ints) -> _Ints:
    """Which candidates are taken, if each in turn is taken when both its sides are still free."""
    # Each step depends on those before, hence a plain loop. To take all undisputed candidates at once, round by
    # round, needs as many rounds as a cell has dates where all are equally far apart.
    taken_left, taken_right = bytearray(left.max(initial=-1) + 1), bytearray(right.max(initial=-1) + 1)
    places = []
    for place, (x, y) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        if not (taken_left[x] or taken_right[y]):
            taken_left[x] = taken_right[y] = True
            places.append(place)
    return np.array(places, dtype="int64")


def _pairs(a: pd.DataFrame, b: pd.DataFrame, rows_a: _Ints, rows_b: _Ints) -> pd.DataFrame:
    apart = pd.Series(b["time"].array.take(rows_b)) - pd.Series(a["time"].array.take(rows_a))
    return pd.DataFrame(
        {
            "patch_a": a["patch_id"].array.take(rows_a),
            "patch_b": b["patch_id"].array.take(rows_b),
            "cell_id": a["cell_id"].array.take(rows_a),
            "days_apart": apart.dt.total_seconds() / _SECONDS_PER_DAY,
            "split": a["split"].array.take(rows_a),
        }
    )
