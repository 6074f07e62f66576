"""The `jepa` command."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from jepa_core import versions
from jepa_core.cli_exports import export, milvus

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
    if not answer.comparable:
        typer.secho(
            f"{variant} knows one sensor at a time: its descriptors of {answer.query_sensor.name} and "
            f"{answer.gallery_sensor.name} have nothing in common, and these hits are chance",
            fg="yellow",
            err=True,
        )
    typer.echo(f"query {answer.query} ({answer.query_sensor.name}): {_labels(answer.query_labels)}")
    typer.echo(f"{'rank':>4}  {'score':>6}  {'lon':>9} {'lat':>8}  time (UTC)        patch and labels")
    for rank, hit in enumerate(answer.hits, start=1):
        typer.echo(
            f"{rank:>4}  {hit.score:>6.3f}  {hit.lon:>9.4f} {hit.lat:>8.4f}  {hit.time:%Y-%m-%d %H:%M}  "
            f"{hit.patch_id}{'  [same place]' if hit.is_pair else ''}: {_labels(hit.labels)}"
        )
    if show is not None:
        typer.echo(f"pictures: {show}")


@app.command()
def variants(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of records, with plain numbers.")] = False,
) -> None:
    """List the methods and their sizes: parameters, and FLOPs of describing an image.

    Encoder, predictor and trainable parameters are those of all sensors together. The paper's are as the method's own
    paper counts; where it knows one sensor, of the one with the most bands.
    """
    from jepa_core.sensors import SENSORS
    from jepa_core.variants.sizes import variant_sizes

    if as_json:
        typer.echo(json.dumps([asdict(record) for record in variant_sizes()], indent=2))
        return
    flops = "".join(f"  {'FLOPs ' + sensor.short:>9}" for sensor in SENSORS.values())
    typer.echo(
        f"{'variant':<8} {'size':<6} {'sensors':<8} {'tokens':>6} {'width':>6} {'depth':>6}  "
        f"{'encoder':>9}  {'predictor':>9}  {'trainable':>9}  {'as paper':>9}{flops}"
    )
    for r in variant_sizes():
        parameters = (r.parameters_encoder, r.parameters_predictor, r.parameters_trainable, r.parameters_paper)
        amounts = (*parameters, *(r.flops_per_image[name] for name in SENSORS))
        typer.echo(
            f"{r.variant:<8} {r.size:<6} {' '.join(SENSORS[name].short for name in r.sensors):<8} "
            f"{r.tokens:>6} {r.width:>6} {r.depth:>6}" + "".join(f"  {_amount(n):>9}" for n in amounts)
        )
    typer.echo(
        "as paper: as the method's own paper counts, some of one sensor; FLOPs: describing one image, 2 a multiply-add"
    )


def _amount(number: int) -> str:
    return f"{number / 1e9:.2f} G" if number >= 1e9 else f"{number / 1e6:.2f} M"


def _labels(labels: tuple[str, ...]) -> str:
    return "; ".join(labels) or "no labels"


app.command()(export)
app.command()(milvus)
