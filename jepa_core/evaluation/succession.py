"""Whether a newly trained model may take the place of the one that serves."""

from dataclasses import dataclass
from pathlib import Path

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import JepaError
from jepa_core.evaluation.benchmark import run_benchmark
from jepa_core.evaluation.gate import gate, reference_of
from jepa_core.evaluation.protocols import BenchmarkError
from jepa_core.evaluation.subject import models_subject
from jepa_core.model import TrainedModel
from jepa_core.store import Store


class RejectedError(JepaError):
    """A newly trained model does not take the place of the one that serves."""


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate."""

    accepted: bool
    """Whether it may serve."""

    message: str
    """Why, or why not."""

    report: Path | None
    """The candidate's benchmark report; None where it could not be held against anything."""


def judge(store: Store, data: LabelledSet, serving: TrainedModel, candidate: TrainedModel, archive: str) -> Verdict:
    """Holds a candidate against the serving model, both measured on the same test pairs of today.

    A stored reference is of yesterday's pairs, and figures of other pairs say nothing. The candidate is rejected when
    one of its main figures lies under the serving model's by more than its interval.

    Args:
        store: the data root; the reports come under its benchmarks, as `<method>-serving` and `<method>-candidate`.
        data: the pairs of today.
        serving: the model that searches use.
        candidate: the new one, of the same method.
        archive: what the data root is bound to, for the reports.
    """
    reports = {}
    for name, model in (("serving", serving), ("candidate", candidate)):
        folder, subject = store.benchmark(f"{candidate.name}-{name}"), models_subject(store, data, [model])
        try:
            reports[name] = run_benchmark(folder, data, subject, {}, archive, illustrated=False)
        except BenchmarkError as error:
            return Verdict(False, f"nothing can be measured: {error}", None)
    reference = reference_of(reports["serving"])
    if not reference.figures:
        return Verdict(False, "nothing can be measured: the test pairs give no main figure", None)
    found = gate(reports["candidate"], reference)
    message = "; ".join([found.message, *found.fallen])
    return Verdict(found.passed, message, store.benchmark(f"{candidate.name}-candidate"))
