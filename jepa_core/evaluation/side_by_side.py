"""The reports of one data root side by side, with tests of what sets the methods apart."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from jepa_core.baselines.registry import BASELINES
from jepa_core.errors import JepaError
from jepa_core.evaluation.compared import Comparison, Difference
from jepa_core.evaluation.comparison import compare
from jepa_core.evaluation.comparison_page import write_comparison
from jepa_core.evaluation.definitions import WATCHED_METRICS
from jepa_core.evaluation.measured import from_table
from jepa_core.evaluation.report import read_queries, read_report
from jepa_core.evaluation.results import Report, Search
from jepa_core.evaluation.significance import compare as compare_queries
from jepa_core.evaluation.significance import holm
from jepa_core.store import Store

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
    """Methods, by their own names, whose reports compare with another, itself included; baselines left out."""
    names = []
    for file in sorted(store.comparison.parent.glob("*/report.json")):
        try:
            report = read_report(file.parent)
            variant = report.model.variant
            if variant in BASELINES or file.parent != store.benchmark(variant):
                continue  # a copy that somebody kept has another folder than its method's
            if report.fingerprint != like.fingerprint:
                _make_sure_alike(store, like, report)
        except JepaError:
            continue  # damaged, of other searches, or by another version of this code: nothing to do with this one
        names.append(variant)
    return names


def _make_sure_alike(store: Store, like: Report, report: Report) -> None:
    compare([like, report])
    # All tables of a report have the same columns.
    from_table(read_queries(store.benchmark(report.model.variant), report.results[0].search))


def _differences(store: Store, reports: Sequence[Report]) -> list[Difference]:
    """Of each pair of methods in each search within the test split, corrected over the pairs.

    Over all searches as well, the correction would soon multiply p by more than the number of swaps: nothing could be
    settled whatever the methods. A reader of one table asks about its pairs only.
    """
    names = [report.model.variant for report in reports]
    pairs = list(combinations(names, 2))
    found = []
    for metric in WATCHED_METRICS:
        for search in _searches(reports[0], metric):
            columns = {name: from_table(read_queries(store.benchmark(name), search)) for name in names}
            tests = [
                compare_queries(columns[one], columns[other], metric, np.random.default_rng(_SEED))
                for one, other in pairs
            ]
            corrected = holm([test.p_value for test in tests])
            found += [
                Difference(metric, search, one, other, test.difference, test.low, test.high, test.p_value, p)
                for (one, other), test, p in zip(pairs, tests, corrected, strict=True)
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
