"""`jepa index`: looking after indexes."""

from typing import TYPE_CHECKING

import typer

from jepa_core.cli_common import Variant, changed_store, open_store, plain_errors

if TYPE_CHECKING:
    from jepa_core.index.state import SensorState

app = typer.Typer(no_args_is_help=True, help="Look after the indexes: what is in them, compaction.")


@app.command()
def status(variant: Variant = "crjepa") -> None:
    """Print what the variant's current index consists of, and which older ones there are."""
    with plain_errors("index status"):
        from jepa_core.fingerprint import short
        from jepa_core.index.sync import current_index, old_indexes, open_current, states
        from jepa_core.remote import scopes
        from jepa_core.stages import size_of

        store = open_store(scopes.of_indexes(variant))
        current = current_index(store, variant)
        typer.echo(f"{current.folder}: model {short(current.model)}, {size_of(current.folder) / 1e6:,.1f} MB")
        for folder, state in states(current):
            if folder != current.folder:
                typer.echo(f"{folder.name}:")
            for sensor, part in state.sensors.items():
                _print_part(sensor, part)
        open_current(current)
        for folder in old_indexes(store, variant):
            typer.echo(f"older: {folder}, {size_of(folder) / 1e6:,.1f} MB (jepa prune removes it)")


@app.command()
def compact(variant: Variant = "crjepa") -> None:
    """Rewrite the variant's current index without withdrawn rows, and train its quantisers anew."""
    with plain_errors("index compact"):
        from jepa_core.index.sync import compact as rewrite
        from jepa_core.index.sync import current_index
        from jepa_core.remote import scopes
        from jepa_core.stages import size_of

        with changed_store(scopes.of_indexes(variant)) as store:
            folder = current_index(store, variant).folder
            before = size_of(folder)
            rewrite(store, variant, say=typer.echo)
        typer.echo(f"{folder}: {before / 1e6:,.1f} MB before, {size_of(folder) / 1e6:,.1f} MB now")


def _print_part(sensor: str, part: "SensorState") -> None:
    withdrawn = sum(segment.withdrawn_rows for segment in part.segments)
    typer.echo(f"  {sensor}: {part.live:,} patches in {len(part.segments)} segments, and {withdrawn:,} withdrawn rows")
    if not part.coarse:
        typer.echo("    searched exactly")
    for kind, coarse in part.coarse.items():
        typer.echo(
            f"    {kind}: {coarse.probes} of {coarse.lists:,} lists a search, recall@10 {coarse.recall:.3f} "
            f"with {coarse.queries} held-out queries; {part.changed:,} vectors changed since"
        )
