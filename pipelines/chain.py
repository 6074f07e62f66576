"""The chain of stages, in the order in which they run: `jepa_core.chain`, with what Dagster wants to know besides."""

from collections.abc import Sequence

from jepa_core import chain
from pipelines.stage import Stage

SENTINEL1_PATCHES = Stage(**vars(chain.SENTINEL1_PATCHES), typical_seconds=25)
SENTINEL2_PATCHES = Stage(**vars(chain.SENTINEL2_PATCHES), typical_seconds=5)
PATCH_PAIRS = Stage(**vars(chain.PATCH_PAIRS), typical_seconds=2)


def model_stage(variant: str) -> Stage:
    """Pretraining of a variant."""
    return Stage(**vars(chain.model_step(variant)), typical_seconds=90, remedy=f"{variant}_index")


def descriptors_stage(variant: str) -> Stage:
    """Descriptors of all patches."""
    return Stage(**vars(chain.descriptors_step(variant)), typical_seconds=10, remedy=f"{variant}_index")


def index_stage(variant: str) -> Stage:
    """Index over the descriptors."""
    return Stage(**vars(chain.index_step(variant)), remedy=f"{variant}_index")


def benchmark_stage(variant: str) -> Stage:
    """Benchmark of the model."""
    return Stage(**vars(chain.benchmark_step(variant)), typical_seconds=60, remedy=f"{variant}_index")


def comparison_stage(variants: Sequence[str]) -> Stage:
    """Benchmarks of variants side by side."""
    return Stage(**vars(chain.comparison_step(variants)))


def chain_to_index(variant: str) -> tuple[Stage, ...]:
    """All stages upstream of a variant's index, in order."""
    return (
        SENTINEL1_PATCHES,
        SENTINEL2_PATCHES,
        PATCH_PAIRS,
        model_stage(variant),
        descriptors_stage(variant),
    )
