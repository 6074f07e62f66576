"""The chain through Dagster's own API: what its tests share."""

import dagster as dg

from pipelines.definitions import ASSETS, CHECKS
from pipelines.resources import Tracking

CONFIG = {"ops": {"crjepa_model": {"config": {"epochs": 2}}}}
CHAIN = [
    "sentinel1_patches",
    "sentinel2_patches",
    "patch_pairs",
    "crjepa_model",
    "crjepa_descriptors",
    "crjepa_index",
]


def materialize(workspace, instance, names, config=None, raise_on_error=True):
    return dg.materialize(
        [*ASSETS, *CHECKS],
        selection=dg.AssetSelection.assets(*names),
        instance=instance,
        resources={"workspace": workspace, "tracking": Tracking()},
        run_config=config if config is not None else {},
        raise_on_error=raise_on_error,
    )


def metadata(result, name):
    (event,) = result.asset_materializations_for_node(name)
    return event.metadata
