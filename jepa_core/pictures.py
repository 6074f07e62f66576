"""Pictures that people look at: previews of patches, contact sheets, curves."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor


@dataclass(frozen=True)
class Frame:
    """A frame around a tile."""

    colour: str
    """As matplotlib names colours."""

    broken: bool = False
    """Whether its line is broken, for those who do not see its colour."""


PAIRED = Frame("#e6007e")
"""Around what was taken of the same place as the query."""

RELEVANT = Frame("#1b8a3a")
"""Around a hit that shares a class with the query."""

NOT_RELEVANT = Frame("#c62828", broken=True)
"""Around a hit that shares none."""


@dataclass(frozen=True)
class Tile:
    """One picture on a contact sheet."""

    image: np.ndarray
    """uint8 (y, x, 3)."""

    caption: str
    """Written under it."""

    frame: Frame | None = None
    """What marks it."""


def preview(pixels: np.ndarray, sensor: Sensor) -> np.ndarray:
    """A patch in colours: true colour for optical sensors; VV, VH and their difference for Sentinel-1.

    Scales are fixed, so that patches of one sheet compare; but for sensors that nothing is known of, whose first band
    is stretched over its own values.

    Args:
        pixels: (bands, y, x) in the sensor's unit.
        sensor: the sensor.

    Returns:
        uint8 (y, x, 3).
    """
    names = set(sensor.band_names)
    eight_bit = sensor.dtype == "uint8"
    if sensor.name == SENTINEL2.name and {"B04", "B03", "B02"} <= names:
        # Reflectance 0.28 is white; the root lifts forests and water, which are dark.
        colours = np.clip(_planes(pixels, sensor, ("B04", "B03", "B02")) / 2800.0, 0, 1) ** 0.7
    elif sensor.name == SENTINEL1.name and {"VV", "VH"} <= names:
        vv, vh = np.nan_to_num(pixels[sensor.positions(("VV", "VH"))].astype(np.float32), nan=-40.0)
        ranges = ((vv, -22.0, -2.0), (vh, -29.0, -8.0), (vv - vh, 2.0, 14.0))
        colours = np.stack([np.clip((values - low) / (high - low), 0, 1) for values, low, high in ranges], axis=-1)
    elif eight_bit and {"red", "green", "blue"} <= names:
        colours = _planes(pixels, sensor, ("red", "green", "blue")) / 255.0
    elif eight_bit:
        colours = _planes(pixels, sensor, (sensor.band_names[0],) * 3) / 255.0
    else:
        grey = pixels[0].astype(np.float32)
        low, high = np.nanpercentile(grey, (2, 98)) if np.isfinite(grey).any() else (0.0, 1.0)
        scaled = np.clip((np.nan_to_num(grey, nan=low) - low) / max(high - low, 1e-6), 0, 1)
        colours = np.repeat(scaled[..., None], 3, axis=-1)
    return (colours * 255).astype(np.uint8)


def _planes(pixels: np.ndarray, sensor: Sensor, bands: tuple[str, str, str]) -> np.ndarray:
    return np.moveaxis(pixels[sensor.positions(bands)].astype(np.float32), 0, -1)


def contact_sheet(title: str, rows: Sequence[Sequence[Tile]]) -> bytes:
    """Tiles in rows, as PNG."""
    columns = max(len(row) for row in rows)
    lines = max(len(_wrapped(tile.caption).splitlines()) for row in rows for tile in row)
    row_height = _TILE + _LINE * (lines + 1)
    width, height = _TILE * columns, row_height * len(rows) + _TITLE
    figure = Figure(figsize=(width, height))
    figure.suptitle(textwrap.fill(title, 26 * columns), fontsize=10, parse_math=False, y=1 - 0.08 / height, va="top")
    # Placed by hand: a layout that matplotlib finds by itself takes seconds for this many axes.
    for row, tiles in enumerate(rows):
        top = height - _TITLE - row_height * row
        for column, tile in enumerate(tiles):
            side = _TILE - 2 * _MARGIN
            place = (column * _TILE + _MARGIN) / width, (top - side) / height, side / width, side / height
            _draw(figure.add_axes(place), tile)
    return png(figure)


_TILE, _LINE, _TITLE, _MARGIN = 1.75, 0.105, 0.55, 0.06
"""Inches: width of a tile, height of a line of its caption, height of the title, space around a picture."""


def _draw(axis: Axes, tile: Tile) -> None:
    axis.set_axis_off()
    axis.imshow(tile.image)
    caption = _wrapped(tile.caption)
    axis.text(0.5, -0.03, caption, transform=axis.transAxes, fontsize=6, ha="center", va="top", parse_math=False)
    if tile.frame is not None:
        height, width = tile.image.shape[:2]
        axis.plot(
            [0, width - 1, width - 1, 0, 0],
            [0, 0, height - 1, height - 1, 0],
            color=tile.frame.colour,
            linestyle=(0, (2, 1)) if tile.frame.broken else "solid",
            linewidth=3,
        )


def curves(title: str, series: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """Lines over training steps, each on an axis of its own, as PNG.

    Args:
        title: of the whole.
        series: by name: steps and values.
    """
    columns = 3
    lines = -(-len(series) // columns)
    height = 2.1 * lines + 0.4
    figure = Figure(figsize=(3.6 * columns, height))
    figure.suptitle(title, fontsize=10, y=1 - 0.1 / height, va="top")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    # A layout that matplotlib finds by itself takes seconds for this many axes.
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.3 / height, top=1 - 0.6 / height, wspace=0.2, hspace=0.4)
    for axis, (name, (steps, values)) in zip(axes, series.items(), strict=False):
        axis.plot(steps, values, linewidth=1)
        axis.set_title(name, fontsize=8)
        axis.tick_params(labelsize=6)
        axis.grid(alpha=0.3)
    for axis in axes[len(series) :]:
        axis.set_axis_off()
    return png(figure)


def _wrapped(text: str) -> str:
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, 26))


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
