"""The report's pictures that need more than its figures: patches, and a map of the descriptors."""

import numpy as np

from jepa_core.choice import evenly
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.descriptor_map import descriptor_map
from jepa_core.evaluation.gallery import Found, best_and_worst
from jepa_core.evaluation.protocols import Vectors
from jepa_core.evaluation.report_charts import report_charts
from jepa_core.evaluation.results import Report
from jepa_core.evaluation.searches import Hits, Outcome
from jepa_core.pictures import png
from jepa_core.vectors import serving

_ON_MAP = 1000
"""Test rows on the map, of each sensor."""


def report_pictures(data: LabelledSet, report: Report, outcome: Outcome, vectors: Vectors) -> dict[str, bytes]:
    """PNGs by caption, in the order in which the page shows them.

    Args:
        data: the set.
        report: its figures.
        outcome: what was found.
        vectors: the first seed's.
    """
    pictures = report_charts(report)
    pictures |= _map(data, vectors)
    for hits in outcome.hits:
        pictures |= best_and_worst(data, _found(data, hits))
    return pictures


def _map(data: LabelledSet, vectors: Vectors) -> dict[str, bytes]:
    rows = data.labelled_rows("test")
    rows = rows[evenly(len(rows), _ON_MAP)]
    by_sensor = {
        sensor.name: vectors[sensor.name][serving("cross" if len(data.sensors) > 1 else "same", vectors[sensor.name])]
        for sensor in data.sensors
    }
    sizes = {found.shape[1] for found in by_sensor.values()}
    if len(sizes) > 1 or not any(np.ptp(found[rows], axis=0).any() for found in by_sensor.values()):
        return {}  # vectors that do not compare, or that are all alike
    title = "Descriptors on their first two principal components"
    if data.multi_label:
        title += ", each coloured by its rarest class in the test split"
    figure = descriptor_map(
        title,
        np.concatenate([found[rows] for found in by_sensor.values()]),
        map_classes(data, rows) * len(by_sensor),
        [name for name in by_sensor for _ in rows],
    )
    return {title: png(figure)}


def map_classes(data: LabelledSet, rows: np.ndarray) -> list[str]:
    """The class that each labelled row is coloured by: of several the one that fewest test rows have.

    Combinations of classes would be nearly as many as rows, and the rarest class says most of a patch.
    """
    frequency = data.labels[data.labelled_rows("test")].sum(axis=0)
    rarest = np.where(data.labels[rows], frequency, len(data) + 1).argmin(axis=1)
    return [data.classes[column] for column in rarest]


def _found(data: LabelledSet, hits: Hits) -> Found:
    sensors = {sensor.name: sensor for sensor in data.sensors}
    return Found(
        query=sensors[hits.search.query],
        gallery=sensors[hits.search.gallery],
        rows=hits.queries,
        hits=hits.rows,
        cosines=hits.cosines,
        figures=hits.figures,
    )
