"""The chain of stages: what each is made from and by which version of the code.

The assets of `pipelines` are built from these steps, and `jepa status` judges by them: there is one truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jepa_core import versions
from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor


@dataclass(frozen=True)
class Step:
    """One stage, as far as it decides whether there is something to do."""

    name: str
    """Key of the asset."""

    version: str
    """Code version; see `jepa_core.versions`."""

    upstream: tuple[str, ...] = ()
    """Stages whose results it reads."""

    archive: Sensor | None = None
    """Sensor whose scenes it reads from the archive."""

    stands: bool = False
    """Whether other data of the same making leave it as it is: a model is not trained for each new scene."""

    idle_settings: tuple[str, ...] = ()
    """Settings that change no result."""


_IDLE = ("max_quarantined",)

SENTINEL1_PATCHES = Step("sentinel1_patches", versions.PATCHES, archive=SENTINEL1, idle_settings=_IDLE)
SENTINEL2_PATCHES = Step("sentinel2_patches", versions.PATCHES, archive=SENTINEL2, idle_settings=_IDLE)
PATCH_PAIRS = Step("patch_pairs", versions.PAIRS, upstream=(SENTINEL1_PATCHES.name, SENTINEL2_PATCHES.name))


def model_step(variant: str) -> Step:
    """Pretraining of a variant."""
    version = f"{versions.CACHE}.{versions.MODEL[variant]}"
    return Step(f"{variant}_model", version, upstream=(PATCH_PAIRS.name,), stands=True)


def descriptors_step(variant: str) -> Step:
    """Descriptors of all patches."""
    upstream = (SENTINEL1_PATCHES.name, SENTINEL2_PATCHES.name, f"{variant}_model")
    return Step(f"{variant}_descriptors", versions.DESCRIPTORS, upstream=upstream, idle_settings=("processes",))


def index_step(variant: str) -> Step:
    """Index over the descriptors."""
    return Step(f"{variant}_index", versions.INDEX, upstream=(f"{variant}_descriptors",))


def benchmark_step(variant: str) -> Step:
    """Benchmark of the model."""
    upstream = (PATCH_PAIRS.name, f"{variant}_model", f"{variant}_descriptors")
    return Step(f"{variant}_benchmark", versions.BENCHMARK, upstream=upstream)


def comparison_step(variants: Sequence[str]) -> Step:
    """Benchmarks of variants side by side."""
    return Step("benchmark_comparison", versions.COMPARISON, upstream=tuple(f"{v}_benchmark" for v in variants))


def ingest_steps() -> tuple[Step, ...]:
    """What all variants share, in order."""
    return SENTINEL1_PATCHES, SENTINEL2_PATCHES, PATCH_PAIRS


def steps_of(variant: str) -> tuple[Step, ...]:
    """A variant's own stages, in order."""
    return model_step(variant), descriptors_step(variant), index_step(variant), benchmark_step(variant)


def steps_to_index(variant: str) -> tuple[Step, ...]:
    """All stages upstream of a variant's index, in order."""
    return *ingest_steps(), model_step(variant), descriptors_step(variant)
