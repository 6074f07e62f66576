"""What describing takes: size, arithmetic, time and room."""

import time
from collections.abc import Collection, Mapping
from statistics import median

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from jepa_core.evaluation.describer import Describer
from jepa_core.evaluation.results import Cost
from jepa_core.sensors import Sensor

BATCH = 32
"""Images described at once while time is taken."""

BATCHES = 5
"""Batches that the median is of; fewer where they take long."""

ENOUGH_SECONDS = 20.0
"""No batch is begun after so long: large encoders on a CPU need minutes for a few."""

_BYTES_PER_NUMBER = 2
"""Of float16, as which the index holds descriptors."""


def cost(describer: Describer, sensors: Collection[Sensor], samples: Mapping[str, np.ndarray]) -> Cost:
    """Counts and measures what describing takes.

    Args:
        describer: makes the descriptors.
        sensors: whose patches it describes.
        samples: real pixels by sensor name, (one or more patches, bands, y, x), in the size that is asked about; few
            are repeated to make a batch.

    Returns:
        Its FLOPs are None for a describer that does not compute with torch. The descriptor's size is that of the
        sensor with the longest.
    """
    flops, seconds, sizes = {}, {}, []
    for sensor in sensors:
        pixels = np.resize(samples[sensor.name], (BATCH, *samples[sensor.name].shape[1:]))
        # The first call also is the warm-up: threads, memory and kernels are there afterwards.
        described = describer.describe(pixels, sensor)
        sizes.append(sum(vectors.shape[1] for vectors in described.values()) * _BYTES_PER_NUMBER)
        flops[sensor.name] = _flops(describer, pixels[:1], sensor)
        seconds[sensor.name] = _seconds(describer, pixels, sensor) / BATCH
    return Cost(
        parameters=describer.parameters,
        flops_per_image=flops if all(flops.values()) else None,
        seconds_per_image=seconds,
        bytes_per_descriptor=max(sizes),
    )


def _flops(describer: Describer, image: np.ndarray, sensor: Sensor) -> int:
    """Of matrix products and convolutions, 2 a multiply-add; 0 where torch computes none."""
    # Fused transformer layers are one operation, whose matrix products the counter would not see.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter:
            describer.describe(image, sensor)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops())


def _seconds(describer: Describer, pixels: np.ndarray, sensor: Sensor) -> float:
    """Of a batch: the median of several, as others use the machine too. Vectors end on the CPU, so all is done."""
    taken: list[float] = []
    while len(taken) < BATCHES and sum(taken) < ENOUGH_SECONDS:
        start = time.perf_counter()
        describer.describe(pixels, sensor)
        taken.append(time.perf_counter() - start)
    return median(taken)
