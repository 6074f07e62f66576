"""An encoder that was never trained: what a network's shape alone gives."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch.optim.swa_utils import update_bn

from jepa_core.baselines.training_rows import MOST_ROWS, training_blocks, training_statistics
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.device import best_device
from jepa_core.fingerprint import fingerprint
from jepa_core.model import TrainedModel
from jepa_core.sensors import Sensor, sensor_to_json
from jepa_core.statistics import normalise
from jepa_core.training.whiten import whiten
from jepa_core.variants import ijepa, registry

_CODE = 3
"""Counts changes of what the vectors are."""


def random_encoder(data: LabelledSet, seed: int, config: ijepa.IJEPAConfig = ijepa.SIZES["tiny"]) -> TrainedModel:
    """The plain ViT of I-JEPA with random weights, one a sensor; norms and whitening are fitted on the training rows.

    There is one kind of descriptor; the encoders of two sensors know nothing of each other, and what they find
    across sensors means nothing.

    Args:
        data: the set, whose training rows give the statistics that inputs are normalised with.
        seed: of the weights.
        config: sizes of the encoder.

    Raises:
        BaselineError: too few training rows.
        StatisticsError: no valid pixel, a constant band, or values in another unit than the sensor's.
        ConfigError: the config's sizes do not go together.
    """
    statistics = {sensor.name: training_statistics(data, sensor) for sensor in data.sensors}

    def normalised(sensor: Sensor) -> Iterator[np.ndarray]:
        for block in training_blocks(data, sensor):
            yield normalise(block, sensor, statistics[sensor.name])

    bands = {sensor.name: len(sensor.bands) for sensor in data.sensors}
    variant = cast("ijepa.IJEPA", registry.build("ijepa", config, bands, seed))
    for sensor in data.sensors:
        encoder = cast("ijepa.IJEPANetwork", variant.networks[sensor.name]).target
        update_bn((torch.from_numpy(images) for images in normalised(sensor)), encoder)
    whiten(variant, {sensor.name: normalised(sensor) for sensor in data.sensors})
    about = {
        "baseline": "random-encoder",
        "code": _CODE,
        "set": data.version,
        "rows": MOST_ROWS,
        "seed": seed,
        "config": registry.config_to_json(config),
        "sensors": [sensor_to_json(sensor) for sensor in data.sensors],
    }
    sensors = {sensor.name: sensor for sensor in data.sensors}
    on = variant.eval().to(best_device())
    return TrainedModel("random-encoder", on, sensors, statistics, fingerprint(about))
