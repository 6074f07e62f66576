"""The command `jepa benchmark`; `jepa_core.cli` registers it."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jepa_core.cli_common import changed_store, plain_errors, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jepa_core.datasets.labelled_set import LabelledSet
    from jepa_core.evaluation.subject import Subject
    from jepa_core.store import Store


def benchmark(
    dataset: Annotated[str, typer.Option(help="Name of the labelled set, e.g. eurosat-rgb or ben14k.")],
    root: Annotated[Path, typer.Option(help="Folder, zip or mat file that holds the set, as it was published.")],
    variant: Annotated[
        str,
        typer.Option(
            help="A method (crjepa ...), which is trained on the set's training split; a baseline (band-statistics "
            "...); or a model of yours: timm:NAME, torchscript:FILE, onnx:FILE, python:PACKAGE.MODULE:FUNCTION."
        ),
    ],
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Of weights, order and masks; given several times: mean ± deviation. Not for models of yours, "
            "whose weights are given, but for timm:NAME, whose weights are random.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Of a method: passes over the training split, instead of the size's.")
    ] = None,
    settings: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Of a method or a baseline: TOML with size, processes and tables model and recipe; see "
            "examples/benchmarks. Given several times: what a later file says goes first.",
        ),
    ] = None,
    encoder_settings: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="TOML that says what a model of yours is given; see examples/encoders."
        ),
    ] = None,
    part: Annotated[
        Literal["test", "val"],
        typer.Option(
            help="Split that is judged. Choose settings by `val`, whose reports lie apart in sets/DATASET/validation, "
            "and look at `test` once."
        ),
    ] = "test",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Judge a method on a labelled set: retrieval, classification, cost, beside chance and baselines.

    Reports lie under JEPA_DATA in sets/DATASET/benchmarks. A rerun trains, describes and measures only what changed.
    """
    with plain_errors("benchmark"):
        from jepa_core.baselines.registry import BASELINES
        from jepa_core.datasets.registry import open_set
        from jepa_core.evaluation.benchmark import run_baselines, run_benchmark
        from jepa_core.evaluation.gate import gate, read_reference
        from jepa_core.evaluation.markdown import markdown_report
        from jepa_core.evaluation.report_json import to_json
        from jepa_core.evaluation.side_by_side import reported, side_by_side
        from jepa_core.remote import scopes
        from jepa_core.store import Store

        data = open_set(dataset, root)
        # Reports are passed on: the name says enough, the path would tell of its owner's machine.
        archive = root.expanduser().resolve().name
        with changed_store(scopes.of_set(dataset), bound=False) as home, ExitStack() as stack:
            store = Store(home.root / "sets" / dataset)
            stack.enter_context(store.locked("benchmark", say))
            data, subject = _subject(store, data, variant, seed, epochs, settings or [], encoder_settings)
            # Models are trained on the set as it is: the one that was chosen is there when the test split is judged.
            reports, judged = (store.choosing, data.for_choosing()) if part == "val" else (store, data)
            rivals = {} if variant in BASELINES else run_baselines(reports, judged, subject.encoder, archive)
            report = run_benchmark(reports.benchmark(subject.variant), judged, subject, rivals, archive)
            others = reported(reports, report)
            if len(others) > 1:
                side_by_side(reports, others)
        kept = reports.benchmark_reference(subject.variant)
        held = gate(report, read_reference(kept)) if kept.exists() else None
    if held is not None:
        say("; ".join([f"{kept.name}: {held.message}", *held.fallen]))
    if as_json:
        typer.echo(json.dumps(to_json(report), indent=2))
    else:
        typer.echo(markdown_report(report))
        typer.echo(f"\nThe whole report: {reports.benchmark(subject.variant) / 'report.html'}")
        if len(others) > 1:
            rest = ", ".join(name for name in others if name != subject.variant)
            typer.echo(f"Beside {rest}: {reports.comparison / 'report.html'}")
    if held is not None and held.fallen:
        raise typer.Exit(1)


def reference(
    variant: Annotated[str, typer.Option(help="Method whose current report becomes the reference.")],
    dataset: Annotated[
        str | None, typer.Option(help="Labelled set that the report is of; without it, the archive of the data root.")
    ] = None,
) -> None:
    """Hold a method's later benchmarks against its current one.

    Dagster's check `benchmark_gate`, and `jepa benchmark` on a set, fail when a main figure falls under it by more than
    its interval.
    """
    with plain_errors("reference"):
        from jepa_core.evaluation.gate import write_reference
        from jepa_core.evaluation.report import read_report
        from jepa_core.remote import scopes
        from jepa_core.store import Store

        with changed_store(scopes.of_reference(variant, dataset), bound=False) as home:
            store = Store(home.root / "sets" / dataset) if dataset else home
            path = store.benchmark_reference(variant)
            write_reference(path, read_report(store.benchmark(variant)))
    typer.echo(f"reference: {path}")


def _subject(
    store: "Store",
    data: "LabelledSet",
    variant: str,
    seeds: "Sequence[int] | None",
    epochs: int | None,
    settings: "Sequence[Path]",
    encoder_settings: Path | None,
) -> "tuple[LabelledSet, Subject]":
    """The subject, and the set with the sensors that it knows.

    Raises:
        JepaError: there is no such variant, it cannot be made, or an option is not for it.
    """
    from dataclasses import replace

    from jepa_core.baselines.registry import BASELINES
    from jepa_core.errors import UnknownNameError
    from jepa_core.evaluation.subject import baseline_subject, encoder_like, foreign_subject, trained_subject
    from jepa_core.evaluation.trained import read_choice
    from jepa_core.external.opening import KINDS, open_encoder, takes_seed
    from jepa_core.variants.registry import METHODS

    options = {
        "--epochs": epochs,
        "--settings": settings or None,
        "--encoder-settings": encoder_settings,
        "--seed": seeds or None,
    }
    if variant in METHODS:
        _refuse(variant, "a method", options, "--encoder-settings")
        choices = [read_choice(variant, seed, epochs, settings) for seed in seeds or [0]]
        return data, trained_subject(store, data, choices)
    if variant in BASELINES:
        _refuse(variant, "a baseline", options, "--epochs", "--encoder-settings")
        config, _ = read_choice("ijepa", 0, None, settings).settled()
        return data, baseline_subject(data, variant, seeds or [0], encoder_like(config))
    if ":" not in variant:
        raise UnknownNameError(
            f"no variant {variant!r}; there are the methods {', '.join(METHODS)}, the baselines "
            f"{', '.join(BASELINES)}, and models of yours: {KINDS}"
        )
    _refuse(variant, "a model of yours", options, "--epochs", "--settings")
    if not takes_seed(variant):
        _refuse(variant, "a model of given weights", options, "--seed")
    encoders = [open_encoder(variant, data, encoder_settings, seed) for seed in seeds or [0]]
    # A model may know one sensor of a pair: it is judged on that.
    known = tuple(sensor for sensor in data.sensors if sensor.name in encoders[0].sensors)
    seen = replace(data, sensors=known)
    return seen, foreign_subject(seen, *encoders, seeds=seeds or [0], config=encoders[0].config)


def _refuse(variant: str, kind: str, options: "Mapping[str, object]", *names: str) -> None:
    """Options that are given would be ignored."""
    from jepa_core.errors import JepaError

    given = [name for name in names if options[name] is not None]
    if given:
        raise JepaError(f"{variant} is {kind}, for which there is no {' and no '.join(given)}")
