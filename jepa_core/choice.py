"""Some of many."""

import numpy as np


def evenly(total: int, most: int) -> np.ndarray:
    """Positions of at most so many of `total` things in a row, evenly spread, the first and the last among them."""
    chosen: np.ndarray = np.unique(np.linspace(0, total - 1, min(total, most)).astype(int))
    return chosen
