"""Descriptors in memory, and what makes a vector one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jepa_core.errors import JepaError

Purpose = Literal["same", "cross"]
"""`same`: search among the query's own sensor; `cross`: among the other's."""

PURPOSES: tuple[Purpose, ...] = ("same", "cross")

UNIT_NORM_TOLERANCE = 2e-3
"""float16 keeps 11 bits: the norm of a stored unit vector is off by less."""


class DescriptorError(JepaError):
    """Descriptors are missing, of another model, or not unit vectors."""


def serving(purpose: Purpose, kinds: Collection[Purpose]) -> Purpose:
    """Which of a model's kinds of descriptors serves a purpose: its own where there is one, else the only one."""
    return purpose if purpose in kinds else next(iter(kinds))


@dataclass(frozen=True)
class Descriptors:
    """Descriptors of many patches of one sensor."""

    patch_ids: np.ndarray
    """(patches,), text; of a whole sensor sorted, of one scene in the order of its file."""

    vectors: dict[Purpose, np.ndarray]
    """By kind: float32 (patches, dimension), unit norm; a model may have one kind for both purposes."""

    def serving(self, purpose: Purpose) -> np.ndarray:
        """The vectors to search with for a purpose."""
        return self.vectors[serving(purpose, self.vectors)]


def check_unit(vectors: np.ndarray, what: str) -> None:
    """Makes sure that all are finite and of unit norm.

    Raises:
        DescriptorError: they are not; the message says how many.
    """
    norms = np.linalg.norm(vectors.astype(np.float32), axis=1)
    bad = int((~(np.abs(norms - 1) < UNIT_NORM_TOLERANCE)).sum())
    if bad:
        raise DescriptorError(f"{bad} of {len(vectors)} {what} are not finite unit vectors")


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows over their norms, float32; a row of zeros, which says nothing, becomes the vector of equal parts.

    Args:
        vectors: finite, (rows, dimension).
    """
    wide = np.asarray(vectors, dtype=np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True)
    nothing = largest == 0
    # By the largest first, so that no square is too large or too small for a float.
    scaled = np.where(nothing, 1.0, wide / np.where(nothing, 1.0, largest))
    return np.asarray(scaled / np.linalg.norm(scaled, axis=1, keepdims=True), dtype=np.float32)
