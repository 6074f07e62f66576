"""Patches of two sensors to pairs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from jepa_core import tables
from jepa_core.fingerprint import fingerprint


@dataclass(frozen=True)
class PairingConfig:
    """Settings of the pairing."""

    max_days: float = 3.0
    """Longest time between the two acquisitions; not applied to pairs that a ready-made set names."""

    min_valid_fraction: float = 0.5
    """Patches with a smaller share of valid pixels are not paired."""


def pair_patches(a: pd.DataFrame, b: pd.DataFrame, config: PairingConfig) -> pd.DataFrame:
    """Pairs of patches of the same cell, near in time; each patch is in one pair at most.

    Pairs that a ready-made set names stand as they are. The rest are joined by cell and taken nearest in time
    first; of equals, the one whose patch ids sort first.

    Args:
        a: patches of the first sensor (schema `tables.PATCHES`).
        b: patches of the second sensor.
        config: thresholds.

    Returns:
        Table of schema `tables.PAIRS`, sorted by `patch_a`.
    """
    columns = ["patch_id", "cell_id", "time", "split", "partner"]
    a = a.loc[a["valid_fraction"] >= config.min_valid_fraction, columns]
    b = b.loc[b["valid_fraction"] >= config.min_valid_fraction, columns]
    named = a.merge(b, left_on="partner", right_on="patch_id", suffixes=("_a", "_b"))
    named["cell_id"] = named["cell_id_a"]
    free_a = a[~a["patch_id"].isin(named["patch_id_a"])]
    free_b = b[~b["patch_id"].isin(named["patch_id_b"])]
    joined = free_a.merge(free_b, on="cell_id", suffixes=("_a", "_b"))
    joined = joined[_days_apart(joined).abs() <= config.max_days]
    chosen = pd.concat([named, _nearest_first(joined)], ignore_index=True)
    pairs = pd.DataFrame(
        {
            "patch_a": chosen["patch_id_a"].astype("str"),
            "patch_b": chosen["patch_id_b"].astype("str"),
            "cell_id": chosen["cell_id"].astype("str"),
            "days_apart": _days_apart(chosen).astype("float64"),
            "split": chosen["split_a"].astype("str"),
        }
    )
    return tables.validated(pairs.sort_values("patch_a", ignore_index=True), tables.PAIRS, "pairs")


def pairs_version(pairs: pd.DataFrame, a: pd.DataFrame, b: pd.DataFrame, holds: Mapping[str, str]) -> str:
    """Data version of pairs: of the table and of what the scenes that it draws on hold.

    Args:
        pairs: the pairs.
        a: patches of the first sensor.
        b: patches of the second sensor.
        holds: hash of what each scene holds, by scene id.
    """
    scenes: set[str] = set()
    for patches, column in ((a, "patch_a"), (b, "patch_b")):
        scenes.update(patches.loc[patches["patch_id"].isin(pairs[column]), "scene_id"])
    rows = hashlib.sha256(pd.util.hash_pandas_object(pairs, index=False).to_numpy().tobytes())
    return fingerprint({"pairs": rows.hexdigest(), "scenes": {scene: holds[scene] for scene in sorted(scenes)}})


def _days_apart(joined: pd.DataFrame) -> pd.Series:
    return (joined["time_b"] - joined["time_a"]).dt.total_seconds() / 86_400


def _nearest_first(joined: pd.DataFrame) -> pd.DataFrame:
    """Greedy one-to-one choice: the closest pair of a cell, then the closest of what is left."""
    left = joined.assign(distance=_days_apart(joined).abs()).sort_values(["distance", "patch_id_a", "patch_id_b"])
    chosen = []
    while not left.empty:
        # The first row of each patch on both sides is a pair that nothing nearer disputes.
        best = left[~left["patch_id_a"].duplicated() & ~left["patch_id_b"].duplicated()]
        chosen.append(best)
        taken = left["patch_id_a"].isin(best["patch_id_a"]) | left["patch_id_b"].isin(best["patch_id_b"])
        left = left[~taken]
    return pd.concat(chosen, ignore_index=True) if chosen else left
