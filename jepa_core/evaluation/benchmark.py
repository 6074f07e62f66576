"""A subject on a set, from descriptors to the report; a report that is current is taken as it is."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jepa_core import versions
from jepa_core.baselines.registry import BASELINES
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import JepaError
from jepa_core.evaluation.classification import classify
from jepa_core.evaluation.cost import cost
from jepa_core.evaluation.report import read_report, write_report
from jepa_core.evaluation.report_pictures import report_pictures
from jepa_core.evaluation.results import DataFacts, ModelFacts, Report, Result
from jepa_core.evaluation.searches import Outcome, run_searches
from jepa_core.evaluation.subject import Subject, baseline_subject
from jepa_core.evaluation.surroundings import surroundings
from jepa_core.evaluation.wording import file_stem
from jepa_core.fingerprint import fingerprint
from jepa_core.store import Store
from jepa_core.variants import ijepa

Rivals = Mapping[str, tuple[Result, ...]]
"""Results that serve, by name of the baseline."""

_SAMPLES = 32
"""Patches that the time of describing is taken with."""


def run_baselines(
    store: Store, data: LabelledSet, encoder: ijepa.IJEPAConfig, seeds: Sequence[int], archive: str
) -> Rivals:
    """Every baseline's benchmark, each with a report of its own beside the methods', without pictures.

    Args:
        store: takes the reports.
        data: the set.
        encoder: size of the untrained encoder.
        seeds: of those that have something random.
        archive: where the set was read from, for the reports.
    """
    reports = {
        name: run_benchmark(store, data, baseline_subject(data, name, seeds, encoder), {}, archive, illustrated=False)
        for name in BASELINES
    }
    return {name: tuple(result for result in report.results if result.serves) for name, report in reports.items()}


def run_benchmark(
    store: Store, data: LabelledSet, subject: Subject, rivals: Rivals, archive: str, illustrated: bool = True
) -> Report:
    """Judges a subject and writes its report, unless the report that is there says the same.

    Args:
        store: takes the report (`Store.benchmark`).
        data: the set.
        subject: what is judged.
        rivals: the baselines' results; none for a baseline.
        archive: where the set was read from, for the report.
        illustrated: whether the report has pictures, which take longer than the figures of a small set.

    Raises:
        BenchmarkError: the set has too few labelled test rows.
        DescriptorError: descriptors are missing, another model's, or no unit vectors.
    """
    made_of = fingerprint(
        {
            "code": versions.BENCHMARK,
            "data": data.version,
            "variant": subject.variant,
            "models": subject.models,
            "rivals": {name: [[f.value for f in r.figures] for r in results] for name, results in rivals.items()},
        }
    )
    folder = store.benchmark(subject.variant)
    try:
        report = read_report(folder)
        if report.fingerprint == made_of and (any(folder.glob("*.png")) or not illustrated):
            return report
    except JepaError:
        pass  # none, or one that cannot be read: it is made anew
    started = time.monotonic()
    by_seed = subject.vectors()
    outcome = run_searches(data, by_seed, subject.variant)
    classification = classify(data, by_seed)
    report = Report(
        fingerprint=made_of,
        data=_data_facts(data, archive),
        model=_model_facts(data, subject),
        results=outcome.results,
        details=outcome.details,
        classification=tuple(classification),
        baselines=rivals,
        surroundings=surroundings(time.monotonic() - started),
    )
    pictures = report_pictures(data, report, outcome, by_seed[0]) if illustrated else {}
    write_report(folder, report, _tables(outcome), pictures)
    return report


def _tables(outcome: Outcome) -> dict[str, pd.DataFrame]:
    return {
        file_stem(search): pd.DataFrame({name: values.astype(np.float32) for name, values in columns.items()})
        for search, columns in outcome.queries.items()
    }


def _data_facts(data: LabelledSet, archive: str) -> DataFacts:
    parts = ("train", "val", "test")
    return DataFacts(
        name=data.name,
        version=data.version,
        archive=archive,
        sensors=tuple(sensor.name for sensor in data.sensors),
        rows={part: len(data.rows(part)) for part in parts},
        labelled={part: len(data.labelled_rows(part)) for part in parts},
        classes=data.classes,
        multi_label=data.multi_label,
        source=data.source,
        notes=data.notes,
    )


def _model_facts(data: LabelledSet, subject: Subject) -> ModelFacts:
    rows = data.labelled_rows("test")[:_SAMPLES]
    return ModelFacts(
        variant=subject.variant,
        models=subject.models,
        seeds=subject.seeds,
        size=subject.size,
        config=subject.config or {},
        recipe=subject.recipe or {},
        train_rows=subject.train_rows,
        steps=subject.steps,
        training_seconds=subject.training_seconds,
        cost=cost(subject.describer, data.sensors, {s.name: data.read(s, rows) for s in data.sensors}),
    )
