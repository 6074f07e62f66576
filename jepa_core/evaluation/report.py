"""The benchmark's report: JSON for machines, one self-contained page for people."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.evaluation.benchmark import Result
from jepa_core.sensors import SENSORS


class ReportError(JepaError):
    """A report is not there, or is none of this code's."""


@dataclass(frozen=True)
class ReportContext:
    """What a reader needs in order to judge the figures."""

    variant: str
    """Name of the method."""

    model: str
    """Fingerprint of the model."""

    pairs_version: str
    """Data version of the pairs."""

    train_pairs: int
    """Pairs that the model was trained on."""

    size: str
    """Size of the model."""

    steps: int
    """Training steps."""

    seed: int
    """The one seed."""

    parameters: int
    """Trained parameters."""

    training_seconds: float
    """Of all training steps."""

    archive: str
    """`sample`, or the archive's path."""


@dataclass(frozen=True)
class Report:
    """One model's benchmark, as `report.json` holds it."""

    context: ReportContext
    """How the figures came about."""

    results: tuple[Result, ...]
    """The figures; those that serve first."""


def write_report(
    folder: Path, results: Sequence[Result], context: ReportContext, pictures: Mapping[str, bytes]
) -> None:
    """Writes `report.json` and `report.html` atomically.

    Args:
        folder: takes both.
        results: the table.
        context: how it came about.
        pictures: PNGs, by caption.
    """
    page = render(
        "report.html.j2",
        rows=[_row(result) for result in results if result.serves],
        others=[_row(result) for result in results if not result.serves],
        context=context,
        pictures={caption: base64.b64encode(png).decode("ascii") for caption, png in pictures.items()},
    )
    with atomic.new_folder(folder) as temporary:
        atomic.write_json(temporary / "report.json", asdict(Report(context, tuple(results))))
        (temporary / "report.html").write_text(page)


def read_report(folder: Path) -> Report:
    """Reads what `write_report` wrote.

    Raises:
        ReportError: there is none in the folder, or it was written by another version of this code.
        JepaError: it is not readable.
    """
    path = folder / "report.json"
    if not path.exists():
        raise ReportError(f"no report at {path}")
    fields = atomic.read_json(path)
    try:
        return Report(ReportContext(**fields["context"]), tuple(Result(**result) for result in fields["results"]))
    except (TypeError, KeyError) as error:
        raise ReportError(f"{path} is of another version of this code; make the benchmark again") from error


def render(template: str, **given: Any) -> str:
    """A self-contained page from one of the templates."""
    environment = Environment(loader=PackageLoader("jepa_core.evaluation"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(template).render(**given)


def markdown_table(results: Sequence[Result]) -> str:
    """The results that serve as Markdown, and below them those of the other head, where there is one."""
    others = [result for result in results if not result.serves]
    table = _markdown([result for result in results if result.serves])
    return f"{table}\n\nThe other head:\n\n{_markdown(others)}" if others else table


def direction(query: str, gallery: str) -> str:
    """From one sensor to another, in short."""
    return " → ".join(SENSORS[name].short.upper() for name in (query, gallery))


def _markdown(results: Sequence[Result]) -> str:
    lines = [
        "| direction | paired patch | head | queries | gallery | F1@5 (A) | chance | band statistics |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['direction']} | {row['pair']} | {row['head']} | {row['queries']} | {row['gallery_size']} "
        f"| {row['f1']:.1f} | {row['chance']:.1f} | {row['baseline']:.1f} |"
        for row in map(_row, results)
    ]
    return "\n".join(lines)


def _row(result: Result) -> dict[str, Any]:
    return {
        "direction": direction(result.query, result.gallery),
        "pair": result.pair,
        "head": result.head,
        "queries": result.queries,
        "gallery_size": result.gallery_size,
        "f1": 100 * result.f1_at_5,
        "chance": 100 * result.chance,
        "baseline": 100 * result.band_statistics,
        "worse": result.f1_at_5 <= max(result.chance, result.band_statistics),
    }
