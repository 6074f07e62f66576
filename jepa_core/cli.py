"""The `jepa` command."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from jepa_core.cli_benchmark import benchmark, reference
from jepa_core.cli_exports import export, milvus
from jepa_core.cli_index import app as index_app
from jepa_core.cli_operating import doctor, prune, status
from jepa_core.cli_search import search

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(search)
app.command()(benchmark)
app.command()(reference)
app.command()(export)
app.command()(milvus)
app.command()(status)
app.command()(doctor)
app.command()(prune)
app.add_typer(index_app, name="index")


@app.callback()
def main() -> None:
    """Search Sentinel archives with JEPA descriptors.

    JEPA_DATA names the folder of what was produced (default: data/ under the working folder), or its address in object
    storage (s3://bucket/prefix).
    """


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
