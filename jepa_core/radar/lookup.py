"""Look-up tables of radar images: vectors at some lines, with values at some samples, linear in between."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.xml import number_of, text_of


@dataclass(frozen=True)
class LookupTable:
    """A quantity over the image; vectors may have values at different samples."""

    lines: np.ndarray
    """(vectors,) line of each, growing; may lie outside the image."""

    pixels: tuple[np.ndarray, ...]
    """Of each vector: samples that have a value, growing."""

    values: tuple[np.ndarray, ...]
    """Of each vector: the values."""

    def block(self, first_line: int, lines: int, first_sample: int, samples: int) -> np.ndarray:
        """Values in a window of the image, bilinear; beyond the first and last entry they stay as there.

        Returns:
            (lines, samples), float32.
        """
        at = np.arange(first_line, first_line + lines, dtype=np.float64)
        last = len(self.lines) - 1
        above = np.clip(np.searchsorted(self.lines, at, side="right") - 1, 0, max(last - 1, 0))
        below = np.minimum(above + 1, last)
        gap = np.maximum(self.lines[below] - self.lines[above], 1e-9)
        part = np.clip((at - self.lines[above]) / gap, 0.0, 1.0)
        first, end = int(above[0]), int(below[-1]) + 1
        columns = np.arange(first_sample, first_sample + samples, dtype=np.float64)
        rows = np.stack([np.interp(columns, self.pixels[i], self.values[i]) for i in range(first, end)])
        weights = np.zeros((lines, end - first))
        here = np.arange(lines)
        weights[here, above - first] = 1.0 - part
        weights[here, below - first] += part
        return np.asarray(weights.astype(np.float32) @ rows.astype(np.float32))


def read_table(vectors: list[Element], value: str, name: str, what: str) -> LookupTable:
    """The table that vectors with `line`, `pixel` and a list of values make.

    Args:
        vectors: XML elements.
        value: tag of the values.
        name: of the file, for messages.
        what: plain name of the vectors, for messages.

    Raises:
        ArchiveError: there are no vectors, or one is incomplete or not in order.
    """
    if not vectors:
        raise ArchiveError(f"{name} has no {what}")
    by_line: dict[float, tuple[np.ndarray, np.ndarray]] = {}
    for vector in vectors:
        by_line.setdefault(number_of(vector, "line", name), read_pair(vector, "pixel", value, name))
    lines = sorted(by_line)
    return LookupTable(
        np.array(lines),
        tuple(by_line[line][0] for line in lines),
        tuple(by_line[line][1] for line in lines),
    )


def read_pair(vector: Element, position: str, value: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions, growing, and the values there.

    Raises:
        ArchiveError: not as many of one as of the other, none, not finite, or positions that do not grow.
    """
    positions, values = _numbers(vector, position, name), _numbers(vector, value, name)
    if len(positions) != len(values):
        raise ArchiveError(f"{name}: {len(positions)} of {position} for {len(values)} of {value}")
    if (np.diff(positions) <= 0).any():
        raise ArchiveError(f"{name}: {position} of a vector does not grow")
    return positions, values


def _numbers(element: Element, tag: str, name: str) -> np.ndarray:
    text = text_of(element, tag, name)
    try:
        numbers = np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise ArchiveError(f"{name}: {tag} holds something that is not a number: {error}") from error
    # Values end up in float32 and are squared there.
    if not (np.abs(numbers) < 1e15).all():
        raise ArchiveError(f"{name}: {tag} holds a number that is not finite or far too large")
    return numbers
