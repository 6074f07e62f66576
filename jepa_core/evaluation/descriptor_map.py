"""A map of descriptors: what lies near what, by class and by sensor."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from jepa_core.evaluation.charts import COLOURS

_POINTS = 2000
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")
_OTHERS = "#c4c4c4"


def descriptor_map(title: str, vectors: np.ndarray, labels: Sequence[str], sensors: Sequence[str]) -> Figure:
    """The first two principal components of descriptors, coloured by class and, beside it, by sensor.

    Args:
        title: of the whole.
        vectors: (patches, dimension); of more than 2,000 patches every n-th is drawn.
        labels: name of each patch's class; those with several get the one that they are to be coloured by.
        sensors: name of each patch's sensor.
    """
    step = -(-len(vectors) // _POINTS)
    vectors, labels, sensors = vectors[::step], list(labels)[::step], list(sensors)[::step]
    # The full decomposition is the same on every run.
    pca = PCA(n_components=2, svd_solver="full").fit(vectors)
    points = pca.transform(vectors)
    figure = Figure(figsize=(9.6, 4.9), layout="constrained")
    figure.suptitle(title.replace("$", r"\$"), fontsize=10)
    by_class, by_sensor = figure.subplots(1, 2, sharex=True, sharey=True)
    _scatter(by_class, points, labels, "by class")
    _scatter(by_sensor, points, sensors, "by sensor")
    shares = 100 * pca.explained_variance_ratio_
    by_class.set_ylabel(f"second component, {shares[1]:.0f} % of the variance", fontsize=8)
    for axis in (by_class, by_sensor):
        axis.set_xlabel(f"first component, {shares[0]:.0f} % of the variance", fontsize=8)
    return figure


def _scatter(axis: Axes, points: np.ndarray, names: Sequence[str], title: str) -> None:
    # More kinds than colours cannot be told apart: the most frequent are coloured, the others grey.
    counted = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    shown = [name for name, _ in counted[: len(COLOURS)]]
    here = np.asarray(names, dtype=object)
    if len(counted) > len(shown):
        others = ~np.isin(here, shown)
        axis.scatter(points[others, 0], points[others, 1], s=7, color=_OTHERS, label="other classes", linewidths=0)
    for i, name in enumerate(shown):
        label = name if len(name) <= 32 else f"{name[:31].rstrip(' ,')}…"
        axis.scatter(
            points[here == name, 0],
            points[here == name, 1],
            s=11,
            color=COLOURS[i],
            marker=_SHAPES[i],
            alpha=0.75,
            linewidths=0,
            label=label.replace("$", r"\$"),
        )
    axis.set_title(title, fontsize=9)
    axis.tick_params(labelsize=7)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, markerscale=1.5)
