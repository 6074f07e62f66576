"""An encoder that was never trained: what a network's shape alone gives."""

from jepa_core.baselines.training_rows import MOST_ROWS, training_statistics
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.device import best_device
from jepa_core.fingerprint import fingerprint
from jepa_core.model import TrainedModel
from jepa_core.sensors import sensor_to_json
from jepa_core.variants import ijepa, registry

_CODE = 1
"""Counts changes of what the vectors are."""


def random_encoder(data: LabelledSet, seed: int, config: ijepa.IJEPAConfig = ijepa.SIZES["tiny"]) -> TrainedModel:
    """The plain ViT of I-JEPA with random weights, one a sensor.

    There is one kind of descriptor; the encoders of two sensors know nothing of each other, and what they find
    across sensors is chance.

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
    variant = registry.build("ijepa", config, {sensor.name: len(sensor.bands) for sensor in data.sensors}, seed)
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
