"""Commands of `jepa` that hand descriptors to other systems; `jepa_core.cli` registers them."""

from pathlib import Path
from typing import Annotated

import typer

from jepa_core.cli_common import Variant, open_store, plain_errors


def export(
    sensor: Annotated[str, typer.Option(help="Sensor whose patches are written: s1 or s2.")],
    to: Annotated[Path, typer.Option(help="The file, ending on .parquet; a STAC collection comes beside it.")],
    variant: Variant = "crjepa",
) -> None:
    """Write the descriptors of a sensor as GeoParquet, for geopandas, DuckDB or lancedb."""
    with plain_errors("export"):
        from jepa_core.catalog import current_model
        from jepa_core.export.geoparquet import export_descriptors
        from jepa_core.remote import scopes
        from jepa_core.sensors import sensor_named

        store = open_store(scopes.of_descriptors(variant))
        model = current_model(store, variant).fingerprint
        done = export_descriptors(store, variant, model, sensor_named(sensor), to)
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
    variant: Variant = "crjepa",
) -> None:
    """Load the descriptors into a Milvus database; a rerun sends only what changed.

    Without --sensor, of all sensors that the current model described.
    """
    with plain_errors("milvus"):
        from jepa_core.catalog import current_model
        from jepa_core.milvus.load import sync
        from jepa_core.remote import scopes
        from jepa_core.sensors import SENSORS, sensor_named

        store = open_store(scopes.of_descriptors(variant))
        model = current_model(store, variant).fingerprint
        folder = store.descriptors(variant, model)
        described = [found for found in SENSORS.values() if (folder / found.name).is_dir()]
        # None described: the error for all of them names the command.
        chosen = [sensor_named(name) for name in sensor or ()] or described or list(SENSORS.values())
        with store.locked(f"{variant}_milvus", typer.echo):
            done = sync(to, store, variant, model, chosen)
    typer.echo(
        f"{done.patches} patches there; scenes added: {done.scenes_added}, replaced: {done.scenes_replaced}, "
        f"withdrawn: {done.scenes_withdrawn}"
    )
