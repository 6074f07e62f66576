"""A subject on a set, from descriptors to the report; a report that is current is taken as it is."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from jepa_core import versions
from jepa_core.baselines.registry import BASELINES
from jepa_core.datasets.labelled_set import SPLITS, LabelledSet
from jepa_core.errors import JepaError
from jepa_core.evaluation.classification import classify
from jepa_core.evaluation.cost import cost
from jepa_core.evaluation.measured import to_table
from jepa_core.evaluation.report import read_report, write_report
from jepa_core.evaluation.report_pictures import report_pictures
from jepa_core.evaluation.results import DataFacts, ModelFacts, Report
from jepa_core.evaluation.searches import run_searches
from jepa_core.evaluation.subject import Subject, baseline_subject
from jepa_core.evaluation.surroundings import surroundings
from jepa_core.evaluation.wording import file_stem
from jepa_core.fingerprint import fingerprint
from jepa_core.store import Store
from jepa_core.variants import ijepa

_LOG = logging.getLogger(__name__)

Rivals = Mapping[str, Report]
"""Reports by name of the baseline."""

_SAMPLES = 32
"""Patches that the time of describing is taken with."""


def run_baselines(store: Store, data: LabelledSet, encoder: ijepa.IJEPAConfig, archive: str) -> Rivals:
    """Every baseline's benchmark with one seed, for the methods of a data root to be held against.

    A baseline that the set does not allow (no training rows to fit on, a constant band) is left out, and said so.

    Args:
        store: takes their reports, apart from those of baselines that users ask for by name.
        data: the set.
        encoder: size of the untrained encoder.
        archive: where the set was read from, for the reports.
    """
    reports = {}
    for name in BASELINES:
        try:
            subject = baseline_subject(data, name, [0], encoder)
        except JepaError as error:
            _LOG.warning("no baseline %s: %s", name, error)
            continue
        folder = store.baseline(name, fingerprint([subject.models, [sensor.name for sensor in data.sensors]]))
        reports[name] = run_benchmark(folder, data, subject, {}, archive, illustrated=False)
    return reports


def run_benchmark(
    folder: Path, data: LabelledSet, subject: Subject, rivals: Rivals, archive: str, illustrated: bool = True
) -> Report:
    """Judges a subject and writes its report, unless the report that is there says the same.

    Args:
        folder: takes the report (`Store.benchmark`).
        data: the set.
        subject: what is judged.
        rivals: the baselines' reports; none for a baseline.
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
            "archive": archive,
            "sensors": [sensor.name for sensor in data.sensors],
            "variant": subject.variant,
            "models": subject.models,
            "seeds": subject.seeds,
            "rivals": {name: report.fingerprint for name, report in rivals.items()},
            "illustrated": illustrated,
        }
    )
    current = _current(folder, made_of)
    if current is not None:
        return current
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
        baselines={name: tuple(r for r in report.results if r.serves) for name, report in rivals.items()},
        baseline_classification={name: report.classification for name, report in rivals.items()},
        surroundings=surroundings(time.monotonic() - started),
    )
    pictures = report_pictures(data, report, outcome, by_seed[0]) if illustrated else {}
    tables = {file_stem(search): to_table(columns) for search, columns in outcome.queries.items()}
    write_report(folder, report, tables, pictures)
    return report


def _current(folder: Path, made_of: str) -> Report | None:
    """The report in a folder, where it says what would be said now; one that cannot be read is made anew."""
    try:
        report = read_report(folder)
    except JepaError:
        return None
    return report if report.fingerprint == made_of else None


def _data_facts(data: LabelledSet, archive: str) -> DataFacts:
    return DataFacts(
        name=data.name,
        version=data.version,
        archive=archive,
        sensors=tuple(sensor.name for sensor in data.sensors),
        rows={part: len(data.rows(part)) for part in SPLITS},
        labelled={part: len(data.labelled_rows(part)) for part in SPLITS},
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
