"""Archive to patches to pairs."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor
from jepa_core.store import Store
from pipelines.acquire import settled_acquisitions
from pipelines.chain import PATCH_PAIRS, SENTINEL1_PATCHES, SENTINEL2_PATCHES
from pipelines.faults import plain_errors
from pipelines.resources import Workspace
from pipelines.stage import Stage, StageInputs, StageResult, run_stage

if TYPE_CHECKING:
    import pandas as pd

    from jepa_core.acquisitions import Acquisitions

Materialized = dg.MaterializeResult[None]

_PAIRED = ("patch_id", "scene_id", "cell_id", "time", "split", "partner", "valid_fraction", "cloud_fraction")
"""Columns that pairing looks at: of millions of patches the rest need not be read."""

_SHOWN = 50
"""Unreadable scenes listed in the log and in the asset's metadata."""


class PatchSettings(dg.Config):
    """Settings of the cutting; those of the grid must be the same for both sensors, or nothing pairs."""

    patch_pixels: int = Field(default=120, ge=8, le=1024, description="Side of a patch, pixels.")
    stride_pixels: int = Field(
        default=120, ge=8, le=1024, description="From one patch to the next, pixels; less than the side: overlap."
    )
    resolution_m: float = Field(default=10.0, gt=0, le=1000, description="Pixel of a patch, metres.")
    bands: list[str] = Field(default=[], description="Names of the bands to read; none: all of the sensor.")
    min_valid_fraction: float = Field(
        default=0.05, ge=0, le=1, description="Smallest share of pixels that all bands measured."
    )
    max_cloud_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Largest share of cloud among them; unknown passes."
    )
    max_quarantined: float = Field(
        default=0.1, ge=0, le=1, description="Share of unreadable scenes above which a check fails."
    )
    at_most: int | None = Field(
        default=None, ge=1, description="New and changed scenes taken in one run; the rest waits. None: all of them."
    )
    retry_now: bool = Field(
        default=False, description="Try at once what could not be reached, instead of when its next attempt is due."
    )


class PairingSettings(dg.Config):
    """Settings of the pairing."""

    max_days: float = Field(default=3.0, ge=0, description="Longest time between two acquisitions, days.")
    min_valid_fraction: float = Field(
        default=0.5, ge=0, le=1, description="Smallest share of valid pixels of a paired patch."
    )
    max_cloud_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Largest share of cloud of a paired patch; unknown passes."
    )


@dg.asset(group_name="ingest", code_version=SENTINEL1_PATCHES.version, kinds={"zarr", "rasterio"})
def sentinel1_patches(context: dg.AssetExecutionContext, config: PatchSettings, workspace: Workspace) -> Materialized:
    """Patches of all Sentinel-1 scenes, backscatter in dB: a zarr and a table a scene."""
    return _patches(SENTINEL1_PATCHES, SENTINEL1, context, config, workspace)


@dg.asset(group_name="ingest", code_version=SENTINEL2_PATCHES.version, kinds={"zarr", "rasterio"})
def sentinel2_patches(context: dg.AssetExecutionContext, config: PatchSettings, workspace: Workspace) -> Materialized:
    """Patches of all Sentinel-2 scenes, digital numbers at 10 m: a zarr and a table a scene."""
    return _patches(SENTINEL2_PATCHES, SENTINEL2, context, config, workspace)


def _patches(
    stage: Stage,
    sensor: Sensor,
    context: dg.AssetExecutionContext,
    config: PatchSettings,
    workspace: Workspace,
) -> Materialized:
    def work(inputs: StageInputs) -> StageResult:
        from jepa_core.acquisitions import cut_settings
        from jepa_core.extraction import extract
        from jepa_core.patch_store import patches_version, read_quarantine, scene_files

        store = workspace.store()
        found = inputs.acquisitions
        assert found is not None
        summary = extract(store, found.sources, *cut_settings(sensor, config.model_dump()), coming=found.waiting)
        quarantine = read_quarantine(store, sensor)
        for row in quarantine.head(_SHOWN).itertuples():
            context.log.warning(f"set aside: {row.place}: {row.reason}")
        return StageResult(
            outputs=scene_files(store, sensor),
            summary=asdict(summary),
            data_version=patches_version(store, sensor),
            tables=_tables(found, quarantine),
        )

    if config.retry_now:
        _make_due(stage, sensor, context, workspace)
    # How many are taken at once, and when what could not be reached is tried, changes nothing in the end.
    settings = config.model_dump(exclude={"at_most", "retry_now"})
    look = partial(settled_acquisitions, workspace, sensor, settings, config.at_most, context.log.info)
    return run_stage(stage, context, workspace, settings, work, look=look)


def _tables(found: "Acquisitions", quarantine: "pd.DataFrame") -> dict[str, str]:
    """What came, changed, went and waits, and what could not be read, as Markdown."""
    places = {"new": found.new, "changed": found.changed, "gone": found.gone}
    rows = [(what, place, "") for what, of in places.items() for place in of]
    rows += [("waiting", place, why) for place, why in found.waiting.items()]
    tables = {"changes": _table(("what", "place", "why"), rows)} if rows else {}
    if len(quarantine):
        tables["quarantine"] = _quarantine_table(quarantine)
    return tables


def _make_due(stage: Stage, sensor: Sensor, context: dg.AssetExecutionContext, workspace: Workspace) -> None:
    from jepa_core.patch_store import retry_now

    with plain_errors(context), workspace.changing(stage.name, context.log.info):
        store = workspace.store()
        # Not while another process works on that table.
        with store.locked(stage.name, waiting=context.log.info):
            context.log.info(f"{retry_now(store, sensor)} places are tried at once")


def _quarantine_table(quarantine: "pd.DataFrame") -> str:
    return _table(("place", "reason"), list(zip(quarantine["place"], quarantine["reason"], strict=True)))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """The first rows as Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows[:_SHOWN]:
        cells = [text.replace("|", "\\|").replace("\n", " ") for text in row]
        lines.append(f"| {' | '.join(cells)} |")
    if len(rows) > _SHOWN:
        lines.append(f"| and {len(rows) - _SHOWN} more |" + " |" * (len(head) - 1))
    return "\n".join(lines)


@dg.asset(
    group_name="ingest",
    deps=[sentinel1_patches, sentinel2_patches],
    code_version=PATCH_PAIRS.version,
    kinds={"pandas"},
)
def patch_pairs(context: dg.AssetExecutionContext, config: PairingSettings, workspace: Workspace) -> Materialized:
    """Pairs of a Sentinel-1 and a Sentinel-2 patch of one cell, near in time."""

    def work(inputs: StageInputs) -> StageResult:
        import pandas as pd

        from jepa_core.pairing import PairingConfig, PairingError, pair_patches, pairs_version
        from jepa_core.patch_store import read_manifest, read_patches
        from jepa_core.tables import PAIRS, write_table

        store = workspace.store()
        a, b = (read_patches(store, sensor, _PAIRED) for sensor in (SENTINEL1, SENTINEL2))
        pairs = pair_patches(a, b, PairingConfig(**config.model_dump()))
        if pairs.empty:
            raise PairingError(_why_no_pairs(store, len(a), len(b), config))
        write_table(pairs, PAIRS, store.pairs)
        manifests = pd.concat([read_manifest(store, sensor) for sensor in (SENTINEL1, SENTINEL2)])
        holds = dict(zip(manifests["scene_id"], manifests["holds"], strict=True))
        return StageResult(
            outputs=[store.pairs],
            summary={
                "pairs": len(pairs),
                **{f"pairs_{split}": int(n) for split, n in pairs["split"].value_counts().items()},
                "median_days_apart": float(pairs["days_apart"].abs().median()),
            },
            data_version=pairs_version(pairs, a, b, holds),
            pictures={"some_pairs": _pairs_sheet(store, pairs, a, b)},
        )

    return run_stage(PATCH_PAIRS, context, workspace, config.model_dump(), work)


def _why_no_pairs(store: Store, count_a: int, count_b: int, config: PairingSettings) -> str:
    from jepa_core.patch_store import stored_grid

    grids = [stored_grid(store, sensor) for sensor in (SENTINEL1, SENTINEL2)]
    if grids[0] != grids[1]:
        return f"the sensors were cut on two grids, {grids[0]} and {grids[1]}: set both alike"
    return (
        f"none of {count_a} Sentinel-1 and {count_b} Sentinel-2 patches are of one cell, within {config.max_days:g} "
        f"days, {config.min_valid_fraction:g} of their pixels valid and at most {config.max_cloud_fraction:g} cloud"
    )


def _pairs_sheet(store: Store, pairs: "pd.DataFrame", a: "pd.DataFrame", b: "pd.DataFrame", count: int = 8) -> bytes:
    """Pairs spread evenly over the table, the two sensors one above the other.

    Args:
        store: the data root.
        pairs: all of them.
        a: patches of the first sensor, of which only `patch_id` and `scene_id` are read.
        b: of the second.
        count: pairs that are shown.
    """
    from jepa_core.choice import evenly
    from jepa_core.patch_store import read_patches, read_pixels, stored_sensors
    from jepa_core.pictures import Tile, contact_sheet, preview

    chosen = pairs.iloc[evenly(len(pairs), count)]
    rows = []
    for sensor, column, known in zip(stored_sensors(store), ("patch_a", "patch_b"), (a, b), strict=True):
        scenes = set(known.loc[known["patch_id"].isin(chosen[column]), "scene_id"])
        patches = read_patches(store, sensor, scenes=scenes).set_index("patch_id", drop=False).loc[chosen[column]]
        pixels = read_pixels(store, sensor, patches)
        captions = patches["time"].dt.strftime("%Y-%m-%d") + "\n" + patches["labels"].map(", ".join)
        rows.append([Tile(preview(p, sensor), caption) for p, caption in zip(pixels, captions, strict=True)])
    return contact_sheet("Pairs: Sentinel-1 above, Sentinel-2 below", rows)
