"""The benchmarks of several methods side by side: a line a direction and protocol, a column a method."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isclose
from pathlib import Path
from typing import Any

from jepa_core import atomic
from jepa_core.evaluation.benchmark import Result
from jepa_core.evaluation.report import Report, ReportContext, ReportError, direction, render
from jepa_core.fingerprint import short


@dataclass(frozen=True)
class Line:
    """One direction under one protocol, by every method with the descriptors that serve it."""

    query: str
    """Name of the queries' sensor."""

    gallery: str
    """Name of the gallery's sensor."""

    pair: str
    """What becomes of the query's paired patch, or of the query itself; see `Result`."""

    queries: int
    """Number of queries."""

    gallery_size: int
    """Patches that a query chooses from."""

    f1_at_5: Mapping[str, float]
    """By method."""

    chance: float
    """Exact expectation of a random ranking."""

    band_statistics: float
    """F1@5 of band means and deviations; see `Result`."""

    @property
    def best(self) -> frozenset[str]:
        """The method with the highest figure, or the methods."""
        return frozenset(name for name, figure in self.f1_at_5.items() if figure == max(self.f1_at_5.values()))

    @property
    def no_better(self) -> frozenset[str]:
        """Methods that do not beat both chance and band statistics."""
        return frozenset(
            name for name, figure in self.f1_at_5.items() if figure <= max(self.chance, self.band_statistics)
        )


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    methods: tuple[ReportContext, ...]
    """How each method's figures came about, in the order of the columns."""

    lines: tuple[Line, ...]
    """In the order of the reports."""

    apart: tuple[str, ...]
    """Methods without a descriptor that is meant for searches across sensors."""


def compare(reports: Sequence[Report]) -> Comparison:
    """Puts reports side by side.

    Args:
        reports: one a method, in the order of the columns.

    Raises:
        ReportError: they are not of the same pairs, or not of the same searches.
    """
    methods = tuple(report.context for report in reports)
    if len({method.pairs_version for method in methods}) > 1:
        listed = ", ".join(f"{method.variant}'s of {short(method.pairs_version)}" for method in methods)
        raise ReportError(
            f"the benchmarks are of different pairs: {listed}. Materialize <variant>_index, then <variant>_benchmark "
            "of those that are behind"
        )
    serving = [[result for result in report.results if result.serves] for report in reports]
    for method, results in zip(methods, serving, strict=True):
        if len(results) != len(serving[0]) or not all(map(_same_search, results, serving[0])):
            raise ReportError(
                f"the benchmarks of {methods[0].variant} and {method.variant} are of different searches, though of the "
                "same pairs: delete both reports and materialize them again"
            )
    names = [method.variant for method in methods]
    lines = tuple(
        Line(
            query=first.query,
            gallery=first.gallery,
            pair=first.pair,
            queries=first.queries,
            gallery_size=first.gallery_size,
            f1_at_5=dict(zip(names, (result.f1_at_5 for result in (first, *others)), strict=True)),
            chance=first.chance,
            band_statistics=first.band_statistics,
        )
        for first, *others in zip(*serving, strict=True)
    )
    apart = tuple(
        name
        for name, results in zip(names, serving, strict=True)
        if all(result.head == "same" for result in results if result.query != result.gallery)
    )
    return Comparison(methods, lines, apart)


def _same_search(one: Result, other: Result) -> bool:
    def what(result: Result) -> tuple[str | int, ...]:
        return result.query, result.gallery, result.pair, result.queries, result.gallery_size

    # Chance is of the labels alone: equal but for the order of a sum.
    return what(one) == what(other) and isclose(one.chance, other.chance, rel_tol=1e-9)


def notes(comparison: Comparison) -> list[str]:
    """What a reader must know before the figures are compared."""
    queries = sorted({line.queries for line in comparison.lines})
    said = [
        f"One seed a method and {' to '.join(map(str, queries))} queries, no intervals: another seed would give other "
        "figures, and a small difference between two methods may be chance."
    ]
    if len({(method.size, method.train_pairs) for method in comparison.methods}) > 1:
        said.append("The methods were not trained at the same size and on as many pairs; see below.")
    if comparison.apart:
        said.append(
            f"The networks of {_listed(comparison.apart)} know one sensor each and are trained apart: their "
            "descriptors of two sensors have nothing in common, and across sensors their figures should lie at chance."
        )
    return said


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Writes `report.json` and `report.html` atomically."""
    page = render(
        "comparison.html.j2",
        rows=[_row(line) for line in comparison.lines],
        methods=comparison.methods,
        notes=notes(comparison),
    )
    lines = [{**asdict(line), "best": sorted(line.best)} for line in comparison.lines]
    methods = [asdict(method) for method in comparison.methods]
    with atomic.new_folder(folder) as temporary:
        atomic.write_json(temporary / "report.json", {"lines": lines, "methods": methods, "notes": notes(comparison)})
        (temporary / "report.html").write_text(page)


def markdown_comparison(comparison: Comparison) -> str:
    """Both tables and the notes as Markdown."""
    names = [method.variant for method in comparison.methods]
    lines = [
        f"| direction | paired patch | {' | '.join(names)} | chance | band statistics |",
        "|---" * (len(names) + 4) + "|",
    ]
    for row in map(_row, comparison.lines):
        figures = [f"**{cell['f1']:.1f}**" if cell["best"] else f"{cell['f1']:.1f}" for cell in row["cells"]]
        marked = [figure + " †" * cell["worse"] for figure, cell in zip(figures, row["cells"], strict=True)]
        lines.append(
            f"| {row['direction']} | {row['pair']} | {' | '.join(marked)} "
            f"| {row['chance']:.1f} | {row['baseline']:.1f} |"
        )
    lines += [
        "",
        "F1@5 (A) in percent. Bold: the best of a line. †: does not beat both chance and band statistics.",
        *(f"\n{note}" for note in notes(comparison)),
        "",
        "| method | size | trained parameters | steps | training pairs | seed | seconds of training |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {m.variant} | {m.size} | {m.parameters:,} | {m.steps} | {m.train_pairs} | {m.seed} "
        f"| {m.training_seconds:.0f} |"
        for m in comparison.methods
    ]
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _row(line: Line) -> dict[str, Any]:
    return {
        "direction": direction(line.query, line.gallery),
        "pair": line.pair,
        "queries": line.queries,
        "gallery_size": line.gallery_size,
        "cells": [
            {"f1": 100 * figure, "best": name in line.best, "worse": name in line.no_better}
            for name, figure in line.f1_at_5.items()
        ],
        "chance": 100 * line.chance,
        "baseline": 100 * line.band_statistics,
    }
