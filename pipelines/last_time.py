"""The settings that each stage was last made with."""

from typing import Any

import dagster as dg

from jepa_core.chain import PATCH_PAIRS, SENTINEL1_PATCHES, SENTINEL2_PATCHES
from jepa_core.stages import read_record
from jepa_core.store import Store


def last_settings(store: Store, stage: str) -> dict[str, Any]:
    """Config of a stage's last run, for another; none where it was never made.

    A field that the asset no longer has, its record being of an older version, is left out: what it was for is gone.
    """
    record = read_record(store, stage)
    kind = _kind(stage)
    if record is None or kind is None:
        return {}
    return {name: value for name, value in record.config.items() if name in kind.model_fields}


def _kind(stage: str) -> type[dg.Config] | None:
    # The assets import what imports this.
    from pipelines.assets.descriptors import DescriptorSettings
    from pipelines.assets.indexes import IndexSettings
    from pipelines.assets.ingest import PairingSettings, PatchSettings
    from pipelines.assets.pretraining import PretrainingSettings

    kinds: dict[str, type[dg.Config]] = {
        SENTINEL1_PATCHES.name: PatchSettings,
        SENTINEL2_PATCHES.name: PatchSettings,
        PATCH_PAIRS.name: PairingSettings,
        "model": PretrainingSettings,
        "descriptors": DescriptorSettings,
        "index": IndexSettings,
    }
    return kinds.get(stage) or kinds.get(stage.rpartition("_")[2])
