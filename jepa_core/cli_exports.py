"""Commands of `jepa` that hand descriptors to other systems; `jepa_core.cli` registers them."""

from pathlib import Path
from typing import Annotated

import typer

from jepa_core import versions

_Variant = Annotated[str, typer.Option(help=f"Method whose descriptors are taken: {', '.join(versions.MODEL)}.")]


def export(
    sensor: Annotated[str, typer.Option(help="Sensor whose patches are written: s1 or s2.")],
    to: Annotated[Path, typer.Option(help="The file, ending on .parquet; a STAC collection comes beside it.")],
    variant: _Variant = "crjepa",
) -> None:
    """Write the descriptors of a sensor as GeoParquet, for geopandas, DuckDB or lancedb."""
    # Everything heavy is imported here, so that `jepa --help` answers at once.
    from jepa_core.archive.discover import archive_identity
    from jepa_core.catalog import current_model
    from jepa_core.errors import JepaError
    from jepa_core.export.geoparquet import export_descriptors
    from jepa_core.sensors import sensor_named
    from jepa_core.settings import Settings
    from jepa_core.store import Store

    try:
        settings = Settings()
        store = Store.at(settings.data)
        store.check_bound(archive_identity(settings))
        model = current_model(store, variant).fingerprint
        done = export_descriptors(store, variant, model, sensor_named(sensor), to)
    except JepaError as error:
        typer.secho(f"jepa export: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{done.patches} patches of {done.scenes} scenes: {to}")
    typer.echo(f"what is in it: {done.collection}")


def milvus(
    to: Annotated[
        str,
        typer.Option(
            envvar="JEPA_MILVUS",
            help="http://user:password@host:19530, or a file ending on .db for the embedded edition.",
        ),
    ],
    sensor: Annotated[
        list[str] | None, typer.Option(help="Sensor whose patches are loaded, s1 or s2; may be given twice.")
    ] = None,
    variant: _Variant = "crjepa",
) -> None:
    """Load the descriptors into a Milvus database; a rerun sends only what changed.

    Without --sensor, of all sensors that the current model described.
    """
    from jepa_core.archive.discover import archive_identity
    from jepa_core.catalog import current_model
    from jepa_core.errors import JepaError
    from jepa_core.milvus.load import sync
    from jepa_core.sensors import SENSORS, sensor_named
    from jepa_core.settings import Settings
    from jepa_core.store import Store

    try:
        settings = Settings()
        store = Store.at(settings.data)
        store.check_bound(archive_identity(settings))
        model = current_model(store, variant).fingerprint
        folder = store.descriptors(variant, model)
        described = [found for found in SENSORS.values() if (folder / found.name).is_dir()]
        # None described: the error for all of them names the command.
        chosen = [sensor_named(name) for name in sensor or ()] or described or list(SENSORS.values())
        with store.locked(f"{variant}_milvus", typer.echo):
            done = sync(to, store, variant, model, chosen)
    except JepaError as error:
        typer.secho(f"jepa milvus: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(
        f"{done.patches} patches there; scenes added: {done.scenes_added}, replaced: {done.scenes_replaced}, "
        f"withdrawn: {done.scenes_withdrawn}"
    )
