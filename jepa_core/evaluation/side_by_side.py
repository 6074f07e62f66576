"""The reports of one data root side by side, with tests of what sets the methods apart."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from jepa_core.baselines.registry import BASELINES
from jepa_core.errors import JepaError
from jepa_core.evaluation.comparison import Comparison, Difference, compare
from jepa_core.evaluation.comparison_page import write_comparison
from jepa_core.evaluation.measured import from_table
from jepa_core.evaluation.report import read_queries, read_report
from jepa_core.evaluation.results import Report, Search
from jepa_core.evaluation.significance import compare as compare_queries
from jepa_core.evaluation.significance import holm
from jepa_core.store import Store

METRICS = ("f1_a@5", "map")
"""What is tested."""

_SEED = 0
"""Of resampling and permutation."""


def side_by_side(store: Store, variants: Sequence[str]) -> Comparison:
    """Compares the reports of some methods and writes the page (`Store.comparison`).

    Args:
        store: holds the reports.
        variants: the methods, in the order of the columns.

    Raises:
        ReportError: a report is missing, or they are not of the same data and searches.
    """
    reports = [read_report(store.benchmark(variant)) for variant in variants]
    compare(reports)  # before the tests, which take time
    comparison = compare(reports, _differences(store, reports))
    write_comparison(store.comparison, comparison)
    return comparison


def reported(store: Store, like: Report) -> list[str]:
    """Methods with a readable report on the data and sensors of another, itself included; baselines left out."""
    names = []
    for file in sorted(store.comparison.parent.glob("*/report.json")):
        if file.parent.name in BASELINES or file.parent == store.comparison:
            continue
        try:
            report = read_report(file.parent)
        except JepaError:
            continue
        if (report.data.version, report.data.sensors) == (like.data.version, like.data.sensors):
            names.append(file.parent.name)
    return names


def _differences(store: Store, reports: Sequence[Report]) -> list[Difference]:
    """Of each pair of methods in each search within the test split, corrected over all of a metric."""
    names = [report.model.variant for report in reports]
    found = []
    for metric in METRICS:
        tested = []
        for search in _searches(reports[0], metric):
            columns = {name: from_table(read_queries(store.benchmark(name), search)) for name in names}
            for one, other in combinations(names, 2):
                generator = np.random.default_rng(_SEED)
                tested.append((search, one, other, compare_queries(columns[one], columns[other], metric, generator)))
        corrected = holm([test.p_value for *_, test in tested])
        found += [
            Difference(metric, search, one, other, test.difference, test.low, test.high, test.p_value, p)
            for (search, one, other, test), p in zip(tested, corrected, strict=True)
        ]
    return found


def _searches(report: Report, metric: str) -> list[Search]:
    return [
        result.search
        for result in report.results
        if result.serves
        and result.search.protocol == "test"
        and any(figure.metric == metric for figure in result.figures)
    ]
