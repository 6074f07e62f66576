"""The `jepa` command."""

from pathlib import Path
from typing import Annotated

import typer

from jepa_core import versions

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Search Sentinel archives with JEPA descriptors.

    JEPA_DATA names the folder of what was produced (default: data/ under the working folder).
    """


@app.command()
def search(
    to: Annotated[str, typer.Option(help="Sensor to find patches of: s1 or s2.")],
    patch: Annotated[str | None, typer.Option(help="Id of a patch of the archive.")] = None,
    image: Annotated[
        Path | None,
        typer.Option(help="GeoTIFF with named bands, or a folder with a file a band."),
    ] = None,
    sensor: Annotated[str | None, typer.Option(help="Sensor of --image: s1 or s2.")] = None,
    variant: Annotated[
        str, typer.Option(help=f"Method whose descriptors are compared: {', '.join(versions.MODEL)}.")
    ] = "crjepa",
    k: Annotated[int, typer.Option("-k", min=1, help="Number of hits.")] = 10,
    show: Annotated[Path | None, typer.Option(help="Write the hits as pictures to this PNG.")] = None,
) -> None:
    """Find what looks like a patch or an image, also across sensors."""
    # Everything heavy is imported here, so that `jepa --help` answers at once.
    from jepa_core import atomic
    from jepa_core.archive.discover import archive_identity
    from jepa_core.errors import JepaError
    from jepa_core.search import answer_sheet, search_by_image, search_by_patch
    from jepa_core.sensors import sensor_named
    from jepa_core.settings import Settings
    from jepa_core.store import Store

    if (patch is None) == (image is None):
        raise typer.BadParameter("give either --patch or --image")
    if show is not None and (show.is_dir() or show.suffix.lower() != ".png"):
        raise typer.BadParameter(f"--show needs the name of a PNG file, not {show}")
    if (image is None) != (sensor is None):
        raise typer.BadParameter("--image needs --sensor; --patch takes none, its id says it")
    try:
        settings = Settings()
        store = Store.at(settings.data)
        store.check_bound(archive_identity(settings))
        gallery = sensor_named(to)
        if patch is not None:
            answer = search_by_patch(store, variant, patch, gallery, k)
        else:
            assert image is not None
            assert sensor is not None
            answer = search_by_image(store, variant, image, sensor_named(sensor), gallery, k)
        if show is not None:
            with atomic.new_file(show) as temporary:
                temporary.write_bytes(answer_sheet(store, answer))
    except JepaError as error:
        typer.secho(f"jepa search: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"query {answer.query} ({answer.query_sensor.name}): {_labels(answer.query_labels)}")
    typer.echo(f"{'rank':>4}  {'score':>6}  {'lon':>9} {'lat':>8}  time (UTC)        patch and labels")
    for rank, hit in enumerate(answer.hits, start=1):
        typer.echo(
            f"{rank:>4}  {hit.score:>6.3f}  {hit.lon:>9.4f} {hit.lat:>8.4f}  {hit.time:%Y-%m-%d %H:%M}  "
            f"{hit.patch_id}{'  [same place]' if hit.is_pair else ''}: {_labels(hit.labels)}"
        )
    if show is not None:
        typer.echo(f"pictures: {show}")


def _labels(labels: tuple[str, ...]) -> str:
    return "; ".join(labels) or "no labels"
