"""Archive to patches to pairs."""

from dataclasses import asdict

import dagster as dg
from pydantic import Field

from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor
from jepa_core.store import Store
from pipelines.chain import PATCH_PAIRS, SENTINEL1_PATCHES, SENTINEL2_PATCHES
from pipelines.resources import Workspace
from pipelines.stage import Stage, StageInputs, StageResult, run_stage

Materialized = dg.MaterializeResult[None]


class PairingSettings(dg.Config):
    """Settings of the pairing."""

    max_days: float = Field(default=3.0, ge=0, description="Longest time between two acquisitions, days.")
    min_valid_fraction: float = Field(
        default=0.5, ge=0, le=1, description="Smallest share of valid pixels of a paired patch."
    )
    max_cloud_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Largest share of cloud of a paired patch; unknown counts as clear."
    )


@dg.asset(group_name="ingest", code_version=SENTINEL1_PATCHES.version, kinds={"zarr", "rasterio"})
def sentinel1_patches(context: dg.AssetExecutionContext, workspace: Workspace) -> Materialized:
    """Patches of all Sentinel-1 scenes, backscatter in dB: a zarr and a table a scene."""
    return _patches(SENTINEL1_PATCHES, SENTINEL1, context, workspace)


@dg.asset(group_name="ingest", code_version=SENTINEL2_PATCHES.version, kinds={"zarr", "rasterio"})
def sentinel2_patches(context: dg.AssetExecutionContext, workspace: Workspace) -> Materialized:
    """Patches of all Sentinel-2 scenes, digital numbers at 10 m: a zarr and a table a scene."""
    return _patches(SENTINEL2_PATCHES, SENTINEL2, context, workspace)


def _patches(
    stage: Stage,
    sensor: Sensor,
    context: dg.AssetExecutionContext,
    workspace: Workspace,
) -> Materialized:
    def work(inputs: StageInputs) -> StageResult:
        from jepa_core.extraction import extract, patches_version, scene_files

        store = workspace.store()
        scenes = workspace.open_archive().scenes(sensor)
        summary = extract(store, scenes, sensor)
        return StageResult(
            outputs=scene_files(store, sensor),
            summary=asdict(summary),
            data_version=patches_version(store, sensor),
        )

    return run_stage(stage, context, workspace, {}, work)


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

        from jepa_core.extraction import read_manifest, read_patches
        from jepa_core.pairing import PairingConfig, pair_patches, pairs_version
        from jepa_core.tables import PAIRS, write_table

        store = workspace.store()
        a, b = (read_patches(store, sensor) for sensor in (SENTINEL1, SENTINEL2))
        pairs = pair_patches(a, b, PairingConfig(**config.model_dump()))
        if pairs.empty:
            raise dg.Failure(
                f"none of {len(a)} Sentinel-1 and {len(b)} Sentinel-2 patches pair within {config.max_days} days",
                allow_retries=False,
            )
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
            pictures={"some_pairs": _pairs_sheet(store)},
        )

    return run_stage(PATCH_PAIRS, context, workspace, config.model_dump(), work)


def _pairs_sheet(store: Store, count: int = 8) -> bytes:
    """Pairs spread evenly over the table, the two sensors one above the other."""
    import numpy as np

    from jepa_core.extraction import read_patches, read_pixels
    from jepa_core.pictures import Tile, contact_sheet, preview
    from jepa_core.tables import PAIRS, read_table

    pairs = read_table(store.pairs, PAIRS)
    chosen = pairs.iloc[np.unique(np.linspace(0, len(pairs) - 1, count).astype(int))]
    rows = []
    for sensor, column in ((SENTINEL1, "patch_a"), (SENTINEL2, "patch_b")):
        patches = read_patches(store, sensor).set_index("patch_id", drop=False).loc[chosen[column]]
        pixels = read_pixels(store, sensor, patches)
        captions = patches["time"].dt.strftime("%Y-%m-%d") + "\n" + patches["labels"].map(", ".join)
        rows.append([Tile(preview(p, sensor), caption) for p, caption in zip(pixels, captions, strict=True)])
    return contact_sheet("Pairs: Sentinel-1 above, Sentinel-2 below", rows)
