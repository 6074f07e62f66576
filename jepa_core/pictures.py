"""Pictures that people look at: previews of patches, contact sheets, curves."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor


@dataclass(frozen=True)
class Tile:
    """One picture on a contact sheet."""

    image: np.ndarray
    """uint8 (y, x, 3)."""

    caption: str
    """Written under it."""

    framed: bool = False
    """Whether a frame marks it."""


def preview(pixels: np.ndarray, sensor: Sensor) -> np.ndarray:
    """A patch in colours: true colour for Sentinel-2; VV, VH and their difference for Sentinel-1.

    Scales are fixed, so that patches of one sheet compare.

    Args:
        pixels: (bands, y, x) in the sensor's unit.
        sensor: the sensor.

    Returns:
        uint8 (y, x, 3).
    """
    if sensor.name == SENTINEL2.name and {"B04", "B03", "B02"} <= set(sensor.band_names):
        red, green, blue = pixels[sensor.positions(("B04", "B03", "B02"))].astype(np.float32)
        # Reflectance 0.28 is white; the root lifts forests and water, which are dark.
        scaled = np.stack([red, green, blue], axis=-1) / 2800.0
        colours = np.clip(scaled, 0, 1) ** 0.7
    elif sensor.name == SENTINEL1.name and {"VV", "VH"} <= set(sensor.band_names):
        vv, vh = np.nan_to_num(pixels[sensor.positions(("VV", "VH"))].astype(np.float32), nan=-40.0)
        ranges = ((vv, -22.0, -2.0), (vh, -29.0, -8.0), (vv - vh, 2.0, 14.0))
        colours = np.stack([np.clip((values - low) / (high - low), 0, 1) for values, low, high in ranges], axis=-1)
    else:
        # Without the bands that make colours: the first band in grey, stretched over its own values.
        grey = pixels[0].astype(np.float32)
        low, high = np.nanpercentile(grey, (2, 98)) if np.isfinite(grey).any() else (0.0, 1.0)
        scaled = np.clip((np.nan_to_num(grey, nan=low) - low) / max(high - low, 1e-6), 0, 1)
        colours = np.repeat(scaled[..., None], 3, axis=-1)
    return (colours * 255).astype(np.uint8)


def contact_sheet(title: str, rows: Sequence[Sequence[Tile]]) -> bytes:
    """Tiles in rows, as PNG."""
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(1.75 * columns, 2.9 * len(rows) + 0.5), layout="constrained")
    figure.suptitle(textwrap.fill(title, 26 * columns), fontsize=10)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, tiles in enumerate(rows):
        for column in range(columns):
            axis = axes[row][column]
            axis.set_axis_off()
            if column < len(tiles):
                tile = tiles[column]
                axis.imshow(tile.image)
                axis.text(
                    0.5,
                    -0.03,
                    _wrapped(tile.caption),
                    transform=axis.transAxes,
                    fontsize=6,
                    ha="center",
                    va="top",
                )
                if tile.framed:
                    height, width = tile.image.shape[:2]
                    axis.plot(
                        [0, width - 1, width - 1, 0, 0],
                        [0, 0, height - 1, height - 1, 0],
                        color="#e6007e",
                        linewidth=3,
                    )
    return _png(figure)


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
    return _png(figure)


def _wrapped(text: str) -> str:
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, 26))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
