"""The benchmark's report: JSON for machines, one self-contained page for people."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jepa_core import atomic
from jepa_core.evaluation.benchmark import Result
from jepa_core.sensors import SENSORS


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

    archive: str
    """`sample`, or the archive's path."""


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
    environment = Environment(loader=PackageLoader("jepa_core.evaluation"), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("report.html.j2").render(
        rows=[_row(result) for result in results],
        context=context,
        pictures={caption: base64.b64encode(png).decode("ascii") for caption, png in pictures.items()},
    )
    with atomic.new_folder(folder) as temporary:
        atomic.write_json(
            temporary / "report.json",
            {"context": asdict(context), "results": [asdict(result) for result in results]},
        )
        (temporary / "report.html").write_text(page)


def markdown_table(results: Sequence[Result]) -> str:
    """The table as Markdown."""
    lines = [
        "| direction | paired patch | queries | gallery | F1@5 (A) | chance | band statistics |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['direction']} | {row['pair']} | {row['queries']} | {row['gallery_size']} "
        f"| {row['f1']:.1f} | {row['chance']:.1f} | {row['baseline']:.1f} |"
        for row in map(_row, results)
    ]
    return "\n".join(lines)


def _row(result: Result) -> dict[str, Any]:
    names = [SENSORS[name].short.upper() for name in (result.query, result.gallery)]
    return {
        "direction": " → ".join(names),
        "pair": result.pair,
        "queries": result.queries,
        "gallery_size": result.gallery_size,
        "f1": 100 * result.f1_at_5,
        "chance": 100 * result.chance,
        "baseline": 100 * result.band_statistics,
        "worse": result.f1_at_5 <= max(result.chance, result.band_statistics),
    }
