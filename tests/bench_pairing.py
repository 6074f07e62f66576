"""Ten million patches to pairs, in a process that holds nothing else; part of `make bench`."""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jepa_core.grid import Cell
from jepa_core.pairing import PairingConfig, pair_patches

REGIONS = 25
CELLS = 10_000
"""In a region: those of one scene."""

DATES = 20
"""Scenes of a region and sensor, within `DAYS`."""

DAYS = 60
FIRST_DAY = pd.Timestamp("2023-04-01", tz="UTC")


def main() -> None:
    """Prints the figures as JSON: how many, seconds of ours and of the reference, bytes before and at the peak."""
    rng = np.random.default_rng(0)
    names = ("S1A_IW_GRDH_1SDV_{0}_{0}_026269_032297", "S2A_MSIL2A_{0}_N9999_R065_T33UUP")
    a, b = (patches(rng, name) for name in names)
    before = peak_bytes()
    started = time.perf_counter()
    pairs = pair_patches(a, b, PairingConfig())
    ours, peak = time.perf_counter() - started, peak_bytes()
    started = time.perf_counter()
    nearest(a, b)
    reference = time.perf_counter() - started
    figures = {"patches": len(a) + len(b), "pairs": len(pairs), "before": before, "peak": peak}
    print(json.dumps(figures | {"seconds": ours, "reference": reference}))


def patches(rng: np.random.Generator, scene_name: str) -> pd.DataFrame:
    """Patches of a sensor, with the columns that pairing reads, sorted by id as they are when read.

    A scene has one time for all its patches. In every other region times are whole days, so that many are equal and
    equally far apart.
    """
    scenes = []
    for region in range(REGIONS):
        unit = "s" if region % 2 else "D"
        for seconds in rng.integers(0, DAYS * 86_400, DATES):
            when = (FIRST_DAY + pd.Timedelta(seconds=int(seconds))).floor(unit)
            name = scene_name.format(when.strftime("%Y%m%dT%H%M%S"))
            scenes.append((f"{name}_{rng.integers(1 << 24):06X}", region, when))
    cells = [cells_of(region) for region in range(REGIONS)]
    text = pa.large_string()
    parts = []
    for scene_id, region, when in sorted(scenes):
        scene = pa.scalar(scene_id, text)
        parts.append(
            pa.table(
                {
                    "patch_id": pc.binary_join_element_wise(scene, cells[region], pa.scalar("_", text)),
                    "cell_id": cells[region],
                    "time": pa.repeat(pa.scalar(when, pa.timestamp("us", "UTC")), CELLS),
                    "split": pa.repeat(pa.scalar("train", text), CELLS),
                    "partner": pa.nulls(CELLS, text),
                    "valid_fraction": rng.choice([0.3, 1.0], CELLS, p=[0.05, 0.95]),
                    "cloud_fraction": np.full(CELLS, np.nan),
                }
            )
        )
    return pa.concat_tables(parts).to_pandas(split_blocks=True)


def cells_of(region: int) -> pa.Array:
    """Ids of a region's cells, sorted."""
    side, per_row = 1200.0, 100
    south = 3_600_000 + region * side * CELLS / per_row
    corners = [(300_000 + k % per_row * side, south + k // per_row * side) for k in range(CELLS)]
    return pa.array(sorted(Cell(32633, x, y, x + side, y + side).id for x, y in corners), pa.large_string())


def nearest(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """What pandas has: the nearest of each, many to one."""
    cells = pd.factorize(pd.concat([a["cell_id"], b["cell_id"]]))[0]
    sides = (
        pd.DataFrame({"cell": codes, "time": t["time"].to_numpy("datetime64[us]"), "row": np.arange(len(t))})
        for t, codes in ((a, cells[: len(a)]), (b, cells[len(a) :]))
    )
    left, right = (side.sort_values("time") for side in sides)
    return pd.merge_asof(left, right, on="time", by="cell", direction="nearest", tolerance=pd.Timedelta(days=3))


def peak_bytes() -> int:
    """Most memory that the process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main()
