"""A stored reference of a report's main figures, and what fell since."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jepa_core import atomic
from jepa_core.evaluation.definitions import WATCHED_METRICS, definition
from jepa_core.evaluation.report_json import ReportError
from jepa_core.evaluation.results import Report, Search
from jepa_core.evaluation.wording import figure_of, full_label
from jepa_core.fingerprint import short

SCHEMA = "jepa-reference/1"


@dataclass(frozen=True)
class ReferenceFigure:
    """One figure that must not fall."""

    search: Search
    """Which search, with the descriptors that serve it."""

    metric: str
    """Which metric."""

    value: float
    """What it was."""


@dataclass(frozen=True)
class Reference:
    """Main figures of an earlier report."""

    data: str
    """Name of the set."""

    version: str
    """Data version: figures of others are not comparable."""

    variant: str
    """Name of the method."""

    figures: tuple[ReferenceFigure, ...]
    """In the order of the report's results."""


@dataclass(frozen=True)
class GateResult:
    """What became of the reference's figures."""

    comparable: bool
    """Whether report and reference are of the same data and the same method."""

    fallen: tuple[str, ...]
    """A sentence for each figure that fell, and for each that is no longer there."""

    message: str
    """The outcome in one sentence."""

    @property
    def passed(self) -> bool:
        """Whether nothing is known to have fallen."""
        return self.comparable and not self.fallen


_REFERENCE = TypeAdapter(Reference)


def reference_of(report: Report) -> Reference:
    """The main figures of a report's results that serve."""
    found = [
        ReferenceFigure(result.search, metric, figure.value)
        for result in report.results
        if result.serves
        for metric in WATCHED_METRICS
        if (figure := figure_of(result, metric)) is not None
    ]
    return Reference(report.data.name, report.data.version, report.model.variant, tuple(found))


def write_reference(path: Path, report: Report) -> None:
    """Writes a report's reference atomically.

    Raises:
        ReportError: a figure is NaN or infinite: nothing could ever fall below it.
    """
    reference = reference_of(report)
    if not all(math.isfinite(figure.value) for figure in reference.figures):
        raise ReportError("a report with figures that are not finite numbers cannot be a reference")
    atomic.write_json(path, {"schema": SCHEMA, **_REFERENCE.dump_python(reference, mode="json")})


def read_reference(path: Path) -> Reference:
    """Reads what `write_reference` wrote.

    Raises:
        ReportError: there is none, or it is damaged or of another version of this code.
        JepaError: it is not JSON.
    """
    if not path.exists():
        raise ReportError(f"no reference at {path}")
    fields: Any = atomic.read_json(path)
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise ReportError(f"{path} is no reference of this version's form ({SCHEMA}); write it again")
    try:
        return _REFERENCE.validate_python(fields)
    except ValidationError as error:
        raise ReportError(f"{path} is damaged; write the reference again") from error


def gate(report: Report, reference: Reference) -> GateResult:
    """Says which figures fell: those whose whole interval lies under the reference.

    A figure that is lower by less than its interval's width is chance and passes.
    """
    for what, ours, theirs in (
        ("data", f"{report.data.name} {short(report.data.version)}", f"{reference.data} {short(reference.version)}"),
        ("method", report.model.variant, reference.variant),
    ):
        if ours != theirs:
            return GateResult(
                False, (), f"not comparable: the report is of the {what} {ours}, the reference of {theirs}"
            )
    results = {result.search: result for result in report.results if result.serves}
    fallen = []
    for stored in reference.figures:
        shown = definition(stored.metric)
        name = f"{shown.title} of {full_label(stored.search)}"
        result = results.get(stored.search)
        figure = None if result is None else figure_of(result, stored.metric)
        if figure is None:
            fallen.append(f"{name} is not in the report; the reference has {shown.text(stored.value)}")
        elif figure.high < stored.value:
            fallen.append(
                f"{name} fell from {shown.text(stored.value)} to {shown.text(figure.value)} "
                f"({shown.text(figure.low)} to {shown.text(figure.high)})"
            )
    outcome = f"{len(fallen)} fell" if fallen else "none fell"
    return GateResult(True, tuple(fallen), f"of {len(reference.figures)} main figures {outcome}")
