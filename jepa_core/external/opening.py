"""From what a user types to a describer."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from jepa_core.baselines.training_rows import training_statistics
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.describer import Describer
from jepa_core.external.encoder import ExternalEncoder, SensorEncoder
from jepa_core.external.entry_point import EntryPoint, open_entry_point
from jepa_core.external.files import open_onnx, open_torchscript
from jepa_core.external.network import Network
from jepa_core.external.settings import EncoderError, EncoderSettings, read_settings
from jepa_core.external.timm_models import open_timm
from jepa_core.fingerprint import fingerprint, short
from jepa_core.sensors import Sensor, sensor_to_json
from jepa_core.statistics import BandStatistics

KINDS = "timm:NAME[:pretrained|:FILE], torchscript:FILE, onnx:FILE or python:MODULE:FUNCTION"
"""What can be typed, for help and errors."""

_CODE = 1
"""Counts changes of how inputs are made."""


def takes_seed(spec: str) -> bool:
    """Whether a spec has random weights, of which another seed makes others."""
    kind, _, rest = spec.partition(":")
    return kind == "timm" and ":" not in rest


def open_encoder(
    spec: str, data: LabelledSet, config: Path | None = None, seed: int = 0
) -> ExternalEncoder | EntryPoint:
    """A user's encoder for a set. It describes a row of each sensor at once, so that mistakes show early.

    Args:
        spec: one of `KINDS`.
        data: the set, whose training rows give the statistics that inputs are normalised with, unless settings do.
        config: TOML or JSON with the settings of each sensor that there is an encoder for (`EncoderSettings`).
            None: an encoder of the same spec for each sensor of the set, on all its bands.
        seed: of weights that are random (`takes_seed`).

    Raises:
        EncoderError: it cannot be opened, does not take the set's images, or gives what it may not.
        UnknownNameError: settings name a field, a sensor or a band that does not exist.
        ConfigError: settings have a value that a field cannot hold.
        StatisticsError: a band has no statistics.
        BaselineError: there are too few training rows.
    """
    opened: ExternalEncoder | EntryPoint
    if spec.startswith("python:"):
        if config is not None:
            raise EncoderError(f"{spec} makes its own input; it takes no file of settings")
        opened = open_entry_point(spec, spec.removeprefix("python:"), data.sensors)
    else:
        opened = _networks(spec, data, config, seed)
    _try(opened, opened.sensors, data)
    return opened


def _networks(spec: str, data: LabelledSet, config: Path | None, seed: int) -> ExternalEncoder:
    if config is None:
        settings: Mapping[str, EncoderSettings] = {sensor.name: EncoderSettings() for sensor in data.sensors}
    else:
        settings = read_settings(config, data.sensors)
    encoders: dict[str, SensorEncoder] = {}
    networks: dict[tuple[int, int | None], Network] = {}
    for sensor in (sensor for sensor in data.sensors if sensor.name in settings):
        wanted = settings[sensor.name]
        if wanted.spec not in (None, spec):
            raise EncoderError(f"{config} is for {wanted.spec} on {sensor.name}, not for {spec}, which was typed")
        seen = wanted.seen(sensor)
        key = (len(seen.bands), wanted.side)
        if key not in networks:
            networks[key] = _network(spec, *key, seed)
        network = networks[key]
        if wanted.side is not None and network.side not in (None, wanted.side):
            raise EncoderError(f"{spec} takes images of {network.side} pixels, settings say {wanted.side}")
        encoders[sensor.name] = SensorEncoder(
            spec=spec,
            sensor=sensor,
            seen=seen,
            statistics=wanted.own_statistics(sensor) or _taken(data, sensor, seen),
            side=wanted.side or network.side,
            network=network,
        )
    about = {name: [sensor_to_json(encoder.sensor), encoder.identity] for name, encoder in encoders.items()}
    # Reports lie by name: files of one name in two folders are told apart by what they say.
    said = fingerprint({name: asdict(wanted) for name, wanted in settings.items()})
    name = spec if config is None else f"{spec} ({config.name} {short(said)})"
    return ExternalEncoder(name, fingerprint(["external", _CODE, about]), encoders)


def _network(spec: str, bands: int, side: int | None, seed: int) -> Network:
    kind, _, rest = spec.partition(":")
    if not rest:
        raise EncoderError(f"an encoder is typed as {KINDS}, not {spec!r}")
    if kind == "timm":
        return open_timm(rest, bands, side, seed)
    if kind == "torchscript":
        return open_torchscript(Path(rest))
    if kind == "onnx":
        return open_onnx(Path(rest))
    raise EncoderError(f"an encoder is typed as {KINDS}, not {spec!r}")


def _taken(data: LabelledSet, sensor: Sensor, seen: Sensor) -> dict[str, BandStatistics]:
    """Statistics of the training rows, of the bands that are seen."""
    statistics = training_statistics(data, sensor)
    return {name: statistics[name] for name in seen.band_names}


def _try(describer: Describer, names: tuple[str, ...], data: LabelledSet) -> None:
    """Describes the first row of each sensor; vectors of two sensors have to be comparable."""
    known = [sensor.name for sensor in data.sensors]
    if not names:
        raise EncoderError(f"{describer.name} knows none of the set's sensors: {', '.join(known)}")
    sizes: dict[str, dict[str, int]] = {}
    for sensor in (sensor for sensor in data.sensors if sensor.name in names):
        described = describer.describe(data.read(sensor, np.zeros(1, dtype=np.int64)), sensor)
        sizes[sensor.name] = {kind: vectors.shape[1] for kind, vectors in described.items()}
    if len({tuple(of.items()) for of in sizes.values()}) > 1:
        told = "; ".join(f"{name}: {', '.join(f'{k} {n}' for k, n in of.items())}" for name, of in sizes.items())
        raise EncoderError(
            f"{describer.name} gives vectors of different lengths, which cannot be compared across sensors ({told}); "
            "evaluate each sensor with settings of its own"
        )
