"""Charts of a benchmark. Colours are Okabe and Ito's, told apart by colour-blind readers too."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from jepa_core.evaluation.results import Details

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""In the order of use; lines and points differ in style and shape as well."""

_DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
_GREY = "#767676"
_SMALL = 8
_ANNOTATED = 20
"""Classes up to which a confusion matrix has room for figures."""


@dataclass(frozen=True)
class Curve:
    """How much of what is relevant lies up to each rank, by one method or in one search."""

    name: str
    """For the legend."""

    ranks: tuple[int, ...]
    """Ascending, from 1; the last is the gallery's size."""

    recall: tuple[float, ...]
    """Share found up to each, from 0 to 1."""


def curve(name: str, details: Details) -> Curve:
    """The curve of a search."""
    return Curve(name, details.curve_ranks, details.curve_recall)


def recall_curves(title: str, curves: Sequence[Curve]) -> Figure:
    """Recall by rank, the rank on a logarithmic axis, with the line of a random ranking.

    Up to rank r a random ranking has found r / gallery of what is relevant. Its line is that of the largest gallery.
    """
    figure, axis = _axes(6.4, 4.0, title)
    for i, shown in enumerate(curves):
        axis.plot(
            shown.ranks,
            100 * np.asarray(shown.recall),
            color=COLOURS[i % len(COLOURS)],
            linestyle=_DASHES[i % len(_DASHES)],
            linewidth=1.8,
            label=shown.name,
        )
    gallery = max(shown.ranks[-1] for shown in curves)
    ranks = np.geomspace(1, gallery, 100)
    axis.plot(ranks, 100 * ranks / gallery, color=_GREY, linewidth=1.2, label="random ranking")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_xlim(1, gallery)
    axis.set_ylim(0, 100)
    axis.set_xlabel(f"rank, of {gallery:,}")
    axis.set_ylabel("share of the relevant found, %")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=_SMALL)
    return figure


def class_bars(title: str, details: Details) -> Figure:
    """F1@5 (A) of each class, best first, each with its chance."""
    order = sorted(range(len(details.classes)), key=lambda i: (-details.class_figures[i], details.classes[i]))
    figure, axis = _axes(7.2, 0.28 * len(order) + 1.3, title)
    places = np.arange(len(order))
    axis.barh(places, [100 * details.class_figures[i] for i in order], color=COLOURS[0], height=0.66, label="F1@5 (A)")
    axis.plot(
        [100 * details.class_chance[i] for i in order],
        places,
        linestyle="none",
        marker="|",
        markersize=11,
        markeredgewidth=2.5,
        color=COLOURS[1],
        label="chance",
    )
    names = [f"{_short(details.classes[i], 44)} ({details.class_queries[i]:,})" for i in order]
    axis.set_yticks(places, names, fontsize=_SMALL)
    axis.set_ylim(len(order) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.set_xlabel("%; in brackets the queries of the class")
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=_SMALL, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    return figure


def retrieved_classes(title: str, details: Details) -> Figure:
    """Which classes queries of each class find among their five nearest, in percent of these."""
    shares = 100 * np.asarray(details.retrieved, dtype=np.float64)
    count = len(details.classes)
    side = max(0.33 if count <= _ANNOTATED else 0.2, 1.6 / count) * count
    figure, axis = _axes(side + 4.0, side + 2.7, title)
    # Light to dark in one hue, so that order is seen without colour.
    drawn = axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    size = _SMALL if count <= _ANNOTATED else 6
    axis.set_xticks(range(count), [_short(name, 26) for name in details.classes], rotation=90, fontsize=size)
    axis.set_yticks(range(count), [_short(name, 40) for name in details.classes], fontsize=size)
    axis.set_xlabel("class among the five nearest")
    axis.set_ylabel("class of the query")
    if count <= _ANNOTATED:
        for row, column in np.ndindex(count, count):
            value = shares[row, column]
            if value >= 0.5:
                colour = "white" if value > 55 else "black"
                axis.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
    bar = figure.colorbar(drawn, ax=axis, shrink=0.6, pad=0.02)
    bar.set_label("share of the hits that have it, %", fontsize=_SMALL)
    bar.ax.tick_params(labelsize=_SMALL)
    return figure


def _axes(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(textwrap.fill(title, int(11 * width)), fontsize=10)
    axis = figure.subplots()
    axis.tick_params(labelsize=_SMALL)
    axis.xaxis.label.set_fontsize(9)
    axis.yaxis.label.set_fontsize(9)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure, axis


def _short(name: str, width: int) -> str:
    # matplotlib reads text between dollar signs as mathematics.
    shown = name if len(name) <= width else f"{name[: width - 1].rstrip(' ,')}…"
    return shown.replace("$", r"\$")
