"""Splits of our making, for sets that bring none: 70 % train, 10 % val, 20 % test, from a stored seed."""

import numpy as np

_TENTHS = {"train": 7, "val": 1, "test": 2}


def stratified_splits(strata: np.ndarray, seed: int) -> np.ndarray:
    """Part of each row, with equal shares in each stratum.

    Args:
        strata: (rows,) whole numbers: usually the class. The rows are in a fixed order, e.g. of their sorted ids.
        seed: kept with the set: the same seed and rows give the same parts everywhere.

    Returns:
        (rows,) text: `train`, `val` or `test`.
    """
    # The raw stream is what numpy promises to keep between versions; its permutations are not.
    keys = np.random.Generator(np.random.PCG64(seed)).bit_generator.random_raw(len(strata))
    splits = np.empty(len(strata), dtype="U5")
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(keys[rows], kind="stable")]
        begin = tenths = 0
        for split, share in _TENTHS.items():
            tenths += share
            end = len(rows) * tenths // 10
            splits[rows[begin:end]] = split
            begin = end
    return splits
