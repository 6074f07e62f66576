"""New acquisitions into the indexes: one job, which a sensor and a schedule launch when there is something to do."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from jepa_core import versions
from pipelines.chain import (
    PATCH_PAIRS,
    SENTINEL1_PATCHES,
    SENTINEL2_PATCHES,
    descriptors_stage,
    index_stage,
    model_stage,
)
from pipelines.last_time import last_settings
from pipelines.resources import Workspace
from pipelines.stage import UNATTENDED, Stage

REINDEX = "reindex_new_acquisitions"

AT_MOST = 200
"""New scenes of a sensor that one run takes: what a run costs is bounded, and what it made is searched early."""

VARIANTS = tuple(sorted(versions.MODEL))

AGAIN = {
    # A run whose process died is launched again; what fails by itself is tried again by the stages, or by the sensor.
    "dagster/max_retries": "3",
    "dagster/retry_strategy": "ALL_STEPS",
}
"""Tags of jobs that run unattended."""


def reindex_stages(variants: tuple[str, ...] = VARIANTS) -> list[Stage]:
    """The stages of the job, in the order in which they run."""
    of_variants = [stage for v in variants for stage in (model_stage(v), descriptors_stage(v), index_stage(v))]
    return [SENTINEL1_PATCHES, SENTINEL2_PATCHES, PATCH_PAIRS, *of_variants]


@dg.config_mapping(
    config_schema={
        "at_most": dg.Field(int, default_value=AT_MOST, description="New scenes of a sensor taken in one run.")
    }
)
def as_last_time(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that each stage was last made with; models are taken as they are, and nothing is bootstrapped."""
    store = Workspace().store()
    ops = {stage.name: {"config": last_settings(store, stage.name)} for stage in reindex_stages()}
    for stage in (SENTINEL1_PATCHES, SENTINEL2_PATCHES):
        ops[stage.name]["config"]["at_most"] = config["at_most"]
    for variant in VARIANTS:
        ops[model_stage(variant).name]["config"]["training"] = "never"
        ops[index_stage(variant).name]["config"]["bootstrap"] = False
    return {"ops": ops}


reindex_new_acquisitions = dg.define_asset_job(
    REINDEX,
    selection=dg.AssetSelection.assets(*(stage.name for stage in reindex_stages())),
    config=as_last_time,
    tags={**AGAIN, "jepa/job": "reindex", UNATTENDED: "true"},
    description="Cuts what is new in the archive, pairs and describes it, and brings the indexes up to date, with the "
    "models there are and the settings of last time. Trains nothing. What has no model yet is left out.",
)
