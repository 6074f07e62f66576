"""The code location: composes, nothing else."""

import dagster as dg

from pipelines.assets.benchmarks import benchmark_asset
from pipelines.assets.comparison import comparison_asset
from pipelines.assets.descriptors import descriptors_asset
from pipelines.assets.indexes import index_asset
from pipelines.assets.ingest import patch_pairs, sentinel1_patches, sentinel2_patches
from pipelines.assets.pretraining import model_asset
from pipelines.checks import comparison_check, ingest_checks, variant_checks
from pipelines.reindex import reindex_new_acquisitions
from pipelines.resources import Tracking, Workspace
from pipelines.retraining import RETRAINING, drift
from pipelines.watch import new_acquisitions, nightly

VARIANTS = ("ijepa", "mae", "rejepa", "xjepa", "crjepa", "lejepa")

ASSETS: list[dg.AssetsDefinition] = [sentinel1_patches, sentinel2_patches, patch_pairs]
CHECKS: list[dg.AssetChecksDefinition] = ingest_checks()
for variant in VARIANTS:
    ASSETS += [
        model_asset(variant),
        descriptors_asset(variant),
        index_asset(variant),
        benchmark_asset(variant),
    ]
    CHECKS += variant_checks(variant)
ASSETS.append(comparison_asset(VARIANTS))
CHECKS.append(comparison_check(VARIANTS))

defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=CHECKS,
    jobs=[reindex_new_acquisitions, *RETRAINING],
    sensors=[new_acquisitions, drift],
    schedules=[nightly],
    resources={"workspace": Workspace(), "tracking": Tracking()},
    # A step a process would import torch and mlflow anew each; stages use threads of their own.
    executor=dg.in_process_executor,
)
