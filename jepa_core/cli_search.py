"""`jepa search`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jepa_core.cli_common import Variant, open_store, plain_errors

if TYPE_CHECKING:
    from jepa_core.search import Answer, Described, Example
    from jepa_core.sensors import Sensor

_EXAMPLES = "What hits should look like"
_FILTERS = "What hits have to meet"


def search(
    to: Annotated[str, typer.Option(help="Sensor to find patches of: s1 or s2.")],
    patch: Annotated[
        list[str] | None,
        typer.Option(help="Id of a patch of the archive; more than one: their mean.", rich_help_panel=_EXAMPLES),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(
            help="GeoTIFF with named bands, or a folder with a file a band; with --sensor.", rich_help_panel=_EXAMPLES
        ),
    ] = None,
    point: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Longitude and latitude: the patch that shows it; with --sensor.",
            metavar="LON LAT",
            rich_help_panel=_EXAMPLES,
        ),
    ] = None,
    time: Annotated[
        datetime | None,
        typer.Option(help="Of --point: the patch nearest to it, UTC; else the latest.", rich_help_panel=_EXAMPLES),
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(help="Sensor of --image and --point: s1 or s2.", rich_help_panel=_EXAMPLES)
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(help="Id of a patch that hits should not look like.", rich_help_panel=_EXAMPLES),
    ] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(
            help="Degrees; the patch's centre is inside.", metavar="WEST SOUTH EAST NORTH", rich_help_panel=_FILTERS
        ),
    ] = None,
    area: Annotated[
        Path | None, typer.Option(help="GeoJSON with polygons; the centre is inside.", rich_help_panel=_FILTERS)
    ] = None,
    start: Annotated[
        datetime | None, typer.Option(help="Acquired then or later, UTC.", rich_help_panel=_FILTERS)
    ] = None,
    end: Annotated[datetime | None, typer.Option(help="Acquired before then, UTC.", rich_help_panel=_FILTERS)] = None,
    max_cloud: Annotated[
        float | None,
        typer.Option(help="Largest cloud fraction, 0 to 1; unknown passes.", rich_help_panel=_FILTERS),
    ] = None,
    min_valid: Annotated[
        float | None, typer.Option(help="Smallest measured fraction, 0 to 1.", rich_help_panel=_FILTERS)
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Has this label, or one of several.", rich_help_panel=_FILTERS)
    ] = None,
    scene: Annotated[
        list[str] | None, typer.Option(help="Of this scene, or one of several.", rich_help_panel=_FILTERS)
    ] = None,
    one_per_cell: Annotated[bool, typer.Option("--one-per-cell", help="Of each place only the nearest date.")] = False,
    variant: Variant = "crjepa",
    k: Annotated[int, typer.Option("-k", min=1, help="Number of hits.")] = 10,
    show: Annotated[Path | None, typer.Option(help="Write the hits as pictures to this PNG.")] = None,
) -> None:
    """Find what looks like patches, images or the patch at a place, also across sensors."""
    if not (patch or image or point):
        raise typer.BadParameter("give --patch, --image or --point")
    if show is not None and (show.is_dir() or show.suffix.lower() != ".png"):
        raise typer.BadParameter(f"--show needs the name of a PNG file, not {show}")
    if bool(image or point) != (sensor is not None):
        raise typer.BadParameter("--image and --point need --sensor; --patch takes none, its id says it")
    if time is not None and point is None:
        raise typer.BadParameter("--time belongs to --point; to restrict hits, use --start and --end")
    with plain_errors("search"):
        from jepa_core import atomic
        from jepa_core.answer_sheet import answer_sheet
        from jepa_core.index.filters import Filter, read_area
        from jepa_core.remote import scopes
        from jepa_core.search import ImageFile, Place, StoredPatch
        from jepa_core.search import search as find
        from jepa_core.sensors import sensor_named

        where = Filter(
            bbox=bbox,
            area=read_area(area) if area is not None else None,
            start=_utc(start),
            end=_utc(end),
            max_cloud=max_cloud,
            min_valid=min_valid,
            labels=tuple(label or ()),
            scenes=tuple(scene or ()),
        )
        like: list[Example] = [StoredPatch(name) for name in patch or ()]
        if sensor is not None:
            taken_by: Sensor = sensor_named(sensor)
            like += [ImageFile(path, taken_by) for path in image or ()]
            like += [Place(*point, taken_by, _utc(time))] if point is not None else []
        store = open_store(scopes.of_search(variant, pictures=show is not None))
        answer = find(
            store,
            variant,
            like,
            sensor_named(to),
            k,
            unlike=[StoredPatch(name) for name in unlike or ()],
            where=where,
            one_per_cell=one_per_cell,
        )
        _warn(answer)
        _print(answer)
        if show is not None:
            with atomic.new_file(show) as temporary:
                temporary.write_bytes(answer_sheet(store, answer))
            typer.echo(f"pictures: {show}")


def _warn(answer: "Answer") -> None:
    if not answer.comparable:
        typer.secho(
            f"{answer.variant} knows one sensor at a time: its descriptors of two sensors have nothing in common, and "
            "these hits are chance",
            fg="yellow",
            err=True,
        )
    if answer.outdated:
        typer.secho(
            f"the index is of an earlier model than the last one that was trained. To have it follow: "
            f"dagster asset materialize --select {answer.variant}_index",
            fg="yellow",
            err=True,
        )
    if not answer.hits:
        typer.secho(
            "no patch meets the conditions: labels and scenes have to be written as they are, and places are longitude "
            "before latitude",
            fg="yellow",
            err=True,
        )


def _print(answer: "Answer") -> None:
    for what, examples in (("query", answer.like), ("unlike", answer.unlike)):
        for example in examples:
            typer.echo(f"{what} {example.name} ({example.sensor.name}): {_labels_of(example)}")
    typer.echo(f"{'rank':>4}  {'score':>6}  {'lon':>9} {'lat':>8}  time (UTC)        patch and labels")
    for rank, hit in enumerate(answer.hits, start=1):
        patch = hit.patch
        typer.echo(
            f"{rank:>4}  {hit.score:>6.3f}  {patch.lon:>9.4f} {patch.lat:>8.4f}  {patch.time:%Y-%m-%d %H:%M}  "
            f"{patch.patch_id}{'  [same place]' if hit.is_pair else ''}: {_labels(patch.labels)}"
        )


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _labels_of(example: "Described") -> str:
    return _labels(example.patch.labels if example.patch is not None else ())


def _labels(labels: tuple[str, ...]) -> str:
    return "; ".join(labels) or "no labels"
