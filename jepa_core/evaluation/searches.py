"""Every search of a benchmark, measured with every kind of descriptor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.chance import expected_f1
from jepa_core.evaluation.definitions import MAIN_METRIC
from jepa_core.evaluation.intervals import figures
from jepa_core.evaluation.measured import Columns, Measured
from jepa_core.evaluation.metrics import measure
from jepa_core.evaluation.protocols import BenchmarkError, Plan, Vectors, plans
from jepa_core.evaluation.results import Details, Result, Search
from jepa_core.evaluation.retrieval import NONE
from jepa_core.evaluation.significance import over_seeds
from jepa_core.progress import track
from jepa_core.vectors import Purpose, serving

_SEED = 0
"""Of the resampling of queries; the same for all that is compared."""


@dataclass(frozen=True)
class Hits:
    """What the queries of a search within the test split found, for pictures."""

    search: Search
    """Which search."""

    queries: np.ndarray
    """int64 (queries,): rows of the set."""

    rows: np.ndarray
    """int64 (queries, 20): rows of the set, nearest first; `NONE` where there are no more."""

    cosines: np.ndarray
    """float32 (queries, 20)."""

    figures: np.ndarray
    """(queries,): F1@5 (A)."""


@dataclass(frozen=True)
class Outcome:
    """All searches of one benchmark."""

    results: tuple[Result, ...]
    """Those that serve first."""

    details: tuple[Details, ...]
    """For each result that serves."""

    queries: Mapping[Search, Columns]
    """Values of single queries of the results that serve, mean over the seeds."""

    hits: tuple[Hits, ...]
    """Of the searches within the test split, a paired patch left out; of the first seed."""


def run_searches(data: LabelledSet, by_seed: Sequence[Vectors], name: str) -> Outcome:
    """Measures all that the set's splits and the descriptors allow.

    Args:
        data: the set.
        by_seed: descriptors of its rows, one a seed.
        name: of what made them, for the progress bar.

    Raises:
        BenchmarkError: too few labelled test rows, or no search that the descriptors allow.
        MetricsError: vectors are not finite and of unit norm.
    """
    searches = [(plan, head) for plan in plans(data) for head in _heads(plan, by_seed[0])]
    if not searches:
        raise BenchmarkError(f"{name} has descriptors for no search of {data.name}")
    results, details, queries, hits = [], [], {}, []
    for plan, head in track(searches, f"Searching by {name}", unit="search"):
        tasks = [plan.task(data, vectors, head) for vectors in by_seed]
        measured = [measure(task) for task in tasks]
        result = Result(
            search=plan.search,
            head=head,
            serves=head == serving(plan.purpose, by_seed[0][plan.search.query]),
            queries=len(plan.queries),
            gallery_size=len(plan.gallery) - int((plan.left_out != NONE).any()),
            unanswerable=measured[0].unanswerable,
            figures=figures(measured, tasks[0], np.random.default_rng(_SEED)),
        )
        results.append(result)
        if result.serves:
            queries[plan.search] = over_seeds([found.columns for found in measured])
            details.append(_details(data, plan, measured[0], expected_f1(tasks[0])))
            if plan.search.protocol == "test" and plan.search.pair != "kept":
                hits.append(_hits(plan, measured[0]))
    return Outcome(
        results=tuple(sorted(results, key=lambda result: not result.serves)),
        details=tuple(details),
        queries=queries,
        hits=tuple(hits),
    )


def _heads(plan: Plan, vectors: Vectors) -> list[Purpose]:
    """Kinds that both sensors have and that have one dimension; a foreign model's may not compare across sensors.

    Where there is a kind for searches across, what is made for those within a sensor has axes of that sensor's own.
    """
    query, gallery = vectors[plan.search.query], vectors[plan.search.gallery]
    kinds = [kind for kind in query if kind in gallery and query[kind].shape[1] == gallery[kind].shape[1]]
    return kinds if plan.purpose == "same" else [kind for kind in kinds if kind == serving(plan.purpose, query)]


def _details(data: LabelledSet, plan: Plan, measured: Measured, chance: np.ndarray) -> Details:
    labels = data.labels[plan.queries]
    present = np.flatnonzero(labels.any(axis=0))
    of_class = [labels[:, column] for column in present]
    values = measured.columns[MAIN_METRIC]
    return Details(
        search=plan.search,
        classes=tuple(data.classes[column] for column in present),
        class_queries=tuple(int(asking.sum()) for asking in of_class),
        class_figures=tuple(float(values[asking].mean()) for asking in of_class),
        class_chance=tuple(float(chance[asking].mean()) for asking in of_class),
        # Where no query has a relevant patch to find, no share of them is found either.
        curve_ranks=tuple(measured.curve_ranks.tolist()),
        curve_recall=tuple(np.nan_to_num(measured.curve_recall).tolist()),
        retrieved=tuple(tuple(row) for row in measured.retrieved[np.ix_(present, present)].tolist()),
    )


def _hits(plan: Plan, measured: Measured) -> Hits:
    found = measured.top_rows
    rows = np.where(found == NONE, NONE, plan.gallery[found])
    return Hits(plan.search, plan.queries, rows, measured.top_cosines, measured.columns[MAIN_METRIC])
