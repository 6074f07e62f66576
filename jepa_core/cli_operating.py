"""`jepa status`, `jepa doctor`, `jepa prune`: for those who run it."""

import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from jepa_core.cli_common import changed_store, open_store, plain_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jepa_core.operating.findings import Finding
    from jepa_core.store import Store


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    listing: Annotated[bool, typer.Option(help="List the archive, to see what is new, changed or gone.")] = True,
) -> None:
    """Say what is there, what is stale and why, who is at work, and what takes how much room. Nothing is written."""
    with plain_errors("status"):
        from jepa_core.operating.status import status as look
        from jepa_core.operating.status_text import as_text
        from jepa_core.remote import scopes
        from jepa_core.settings import Settings

        open_store(scopes.of_all())
        found = look(Settings(), listing)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        for line in as_text(found):
            typer.echo(line)


def doctor(
    mend: Annotated[
        bool, typer.Option("--mend", help="Mend what loses nothing that cannot be made again from the archive.")
    ] = False,
) -> None:
    """Read and check everything: scenes, pairs, models, descriptors, indexes, reports, records, left-over files.

    A line for each finding: what, where, what it means, what mends it. Exit code 1 when something is wrong; what is
    only left over is no error. Models, reports and references are never deleted.
    """
    with plain_errors("doctor"), _whole_root(mend) as store:
        from jepa_core.operating.doctor import examine
        from jepa_core.operating.doctor import mend as treat
        from jepa_core.operating.working import holders
        from jepa_core.settings import Settings

        for what, who in holders(store).items():
            typer.echo(f"at work on {what}: {who}")
        # All is looked at first: what is mended would be missed by what is made from it.
        found = list(_said(examine(Settings())))
        treated = [treat(store, one, typer.echo) if mend and one.cure is not None else None for one in found]
        # In the order of the chain, as it was looked at.
        for name in dict.fromkeys(name for name in treated if name):
            typer.echo(f"Run: dagster asset materialize --select {name}")
        wrong = sum(one.wrong for one in found)
        left = sum(one.wrong and done is None for one, done in zip(found, treated, strict=True))
        mended = f", {wrong - left} of them mended" if mend and wrong else ""
        typer.echo(f"{wrong} things are wrong{mended}; {len(found) - wrong} are left over")
    if left:
        raise typer.Exit(1)


@contextmanager
def _whole_root(changed: bool) -> "Iterator[Store]":
    """The data root that the settings name, all of it, to be looked at or changed."""
    from jepa_core.errors import NotMaterializedError
    from jepa_core.remote import scopes
    from jepa_core.settings import Settings

    settings = Settings()
    if not isinstance(settings.data, str) and not settings.data_folder.exists():
        raise NotMaterializedError(
            f"there is no data root at {settings.data_folder}: nothing was made there yet, or JEPA_DATA is mistyped"
        )
    if not changed:
        yield open_store(scopes.of_all())
        return
    with changed_store(scopes.of_all()) as store:
        yield store


def _said(findings: "Iterator[Finding]") -> "Iterator[Finding]":
    from jepa_core.progress import say

    for finding in findings:
        say(("wrong: " if finding.wrong else "left over: ") + finding.line)
        yield finding


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    all_models: Annotated[
        bool, typer.Option("--all-models", help="Every model that nothing names; else the latest of them stays.")
    ] = False,
    downloads: Annotated[
        bool, typer.Option("--downloads", help="Files fetched from elsewhere too; they are fetched again when needed.")
    ] = False,
) -> None:
    """Remove what nothing needs: old indexes, descriptors and models, caches, checkpoints, half-written files.

    The current index, its model, the model trained last and models that benchmark reports are of stay. What somebody
    is working on stays, too.
    """
    with plain_errors("prune"), _whole_root(not dry_run) as store:
        from jepa_core.operating.prune import Planned, planned
        from jepa_core.operating.prune import prune as remove
        from jepa_core.operating.waste import Wish

        wish = Wish(all_models, downloads)

        def tell(thing: Planned) -> None:
            said = "would free" if dry_run else "freed"
            typer.echo(f"{thing.waste.kind} {thing.waste.path}: {said} {_amount(thing.bytes)}: {thing.waste.why}")

        if dry_run:
            found = planned(store, wish, _problem)
            for thing in found:
                tell(thing)
            count, freed = len(found), sum(thing.bytes for thing in found)
        else:
            count, freed = remove(store, wish, tell, _problem)
        typer.echo(f"{count} things, {_amount(freed)}{' would be freed' if dry_run else ' freed'}")


def _problem(message: str) -> None:
    typer.echo(message, err=True)


def _amount(bytes_: int) -> str:
    return f"{bytes_ / 1e6:,.1f} MB"
