"""The chain of stages, in the order in which they run."""

from collections.abc import Sequence

from jepa_core import versions
from jepa_core.sensors import SENTINEL1, SENTINEL2
from pipelines.stage import Stage

SENTINEL1_PATCHES = Stage(
    "sentinel1_patches",
    versions.PATCHES,
    archive=SENTINEL1,
    typical_seconds=25,
    idle_settings=("max_quarantined",),
)
SENTINEL2_PATCHES = Stage(
    "sentinel2_patches",
    versions.PATCHES,
    archive=SENTINEL2,
    typical_seconds=5,
    idle_settings=("max_quarantined",),
)
PATCH_PAIRS = Stage(
    "patch_pairs",
    versions.PAIRS,
    upstream=(SENTINEL1_PATCHES.name, SENTINEL2_PATCHES.name),
    typical_seconds=2,
)


def model_stage(variant: str) -> Stage:
    """Pretraining of a variant."""
    return Stage(
        f"{variant}_model",
        f"{versions.CACHE}.{versions.MODEL[variant]}",
        upstream=(PATCH_PAIRS.name,),
        typical_seconds=90,
        stands=True,
        remedy=f"{variant}_index",
    )


def descriptors_stage(variant: str) -> Stage:
    """Descriptors of all patches."""
    return Stage(
        f"{variant}_descriptors",
        versions.DESCRIPTORS,
        upstream=(SENTINEL1_PATCHES.name, SENTINEL2_PATCHES.name, f"{variant}_model"),
        typical_seconds=10,
        idle_settings=("processes",),
        remedy=f"{variant}_index",
    )


def index_stage(variant: str) -> Stage:
    """Index over the descriptors."""
    name = f"{variant}_index"
    return Stage(name, versions.INDEX, upstream=(f"{variant}_descriptors",), remedy=name)


def benchmark_stage(variant: str) -> Stage:
    """Benchmark of the model."""
    return Stage(
        f"{variant}_benchmark",
        versions.BENCHMARK,
        upstream=(PATCH_PAIRS.name, f"{variant}_model", f"{variant}_descriptors"),
        typical_seconds=60,
        remedy=f"{variant}_index",
    )


def comparison_stage(variants: Sequence[str]) -> Stage:
    """Benchmarks of variants side by side."""
    return Stage("benchmark_comparison", versions.COMPARISON, upstream=tuple(f"{v}_benchmark" for v in variants))


def chain_to_index(variant: str) -> tuple[Stage, ...]:
    """All stages upstream of a variant's index, in order."""
    return (
        SENTINEL1_PATCHES,
        SENTINEL2_PATCHES,
        PATCH_PAIRS,
        model_stage(variant),
        descriptors_stage(variant),
    )
