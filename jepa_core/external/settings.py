"""How a user's encoder wants its input, as a TOML or JSON file says it."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jepa_core.bounds import Count, Positive
from jepa_core.errors import JepaError
from jepa_core.sensors import Sensor
from jepa_core.statistics import BandStatistics
from jepa_core.variants.registry import changed


class EncoderError(JepaError):
    """A user's encoder cannot be opened, or does not do what it has to."""


@dataclass(frozen=True)
class EncoderSettings:
    """One sensor's encoder. What is left out is None."""

    spec: str | None = None
    """Which encoder the settings are for, and no other; None: whichever is typed."""

    bands: tuple[str, ...] | None = None
    """Names of the bands that it sees, in its own order; None: all, in the sensor's order."""

    side: Count | None = None
    """Pixels along a side that images are resized to; None: what the encoder's file says, else as they are."""

    scale: Positive = 1.0
    """What pixels are multiplied by before `mean` and `std` apply, e.g. 0.0001 from DN to reflectance."""

    mean: tuple[float, ...] | None = None
    """Of each band, in the order of `bands`, after `scale`; None: statistics of the set's training rows."""

    std: tuple[float, ...] | None = None
    """Likewise."""

    def seen(self, sensor: Sensor) -> Sensor:
        """The sensor with the bands that the encoder sees, in its order.

        Raises:
            UnknownNameError: the sensor has no such band.
        """
        if self.bands is None:
            return sensor
        return replace(sensor, bands=tuple(sensor.bands[i] for i in sensor.positions(self.bands)))

    def own_statistics(self, sensor: Sensor) -> dict[str, BandStatistics] | None:
        """Mean and deviation in the sensor's unit, by band name; None where those of training rows are to be used."""
        if self.mean is None or self.std is None:
            return None
        return {
            band.name: BandStatistics(mean / self.scale, std / self.scale, band.unit)
            for band, mean, std in zip(self.seen(sensor).bands, self.mean, self.std, strict=True)
        }


def read_settings(path: Path, sensors: tuple[Sensor, ...]) -> dict[str, EncoderSettings]:
    """Settings from a file with a table `sensors.NAME` for each sensor that there is an encoder for.

    Args:
        path: ends on .toml or .json.
        sensors: of the set; the file may use their long and short names.

    Returns:
        By the sensors' long names.

    Raises:
        EncoderError: the file cannot be read, or says what cannot be.
        UnknownNameError: a field, a sensor or a band that does not exist.
        ConfigError: a value that a field cannot hold.
    """
    tables = _read(path).get("sensors")
    if not isinstance(tables, Mapping) or not tables:
        raise EncoderError(f"{path} needs a table [sensors.NAME] for each sensor that there is an encoder for")
    by_name = {name: sensor for sensor in sensors for name in (sensor.short, sensor.name)}
    settings: dict[str, EncoderSettings] = {}
    for name, fields in tables.items():
        if name not in by_name:
            known = ", ".join(sensor.name for sensor in sensors)
            raise EncoderError(f"{path} has settings for {name}; the set's sensors are {known}")
        sensor = by_name[name]
        what = f"{path}, sensor {name}"
        if sensor.name in settings or not isinstance(fields, Mapping):
            raise EncoderError(f"{what}: one table of settings is needed, not {fields!r}")
        settings[sensor.name] = changed(EncoderSettings(), fields, what)
        _check(settings[sensor.name], sensor, what)
    return settings


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        fields = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} cannot be read as {path.suffix.lstrip('.') or 'JSON'}: {error}") from error
    unknown = set(fields) - {"sensors"} if isinstance(fields, Mapping) else {"no table"}
    if unknown:
        raise EncoderError(f"{path} holds {', '.join(sorted(unknown))} beside [sensors.NAME]")
    return dict(fields)


def _check(settings: EncoderSettings, sensor: Sensor, what: str) -> None:
    if settings.bands is not None and (not settings.bands or len(set(settings.bands)) != len(settings.bands)):
        raise EncoderError(f"{what}: bands are one or more names, none twice")
    bands = settings.seen(sensor).band_names
    if (settings.mean is None) != (settings.std is None):
        raise EncoderError(f"{what}: mean and std go together")
    if settings.mean is None and settings.scale != 1:
        raise EncoderError(f"{what}: scale goes with mean and std; statistics of training rows need none")
    for name, values in (("mean", settings.mean), ("std", settings.std)):
        if values is not None and len(values) != len(bands):
            raise EncoderError(f"{what}: {name} has {len(values)} values for {len(bands)} bands ({', '.join(bands)})")
        if values is not None and not all(map(math.isfinite, values)):
            raise EncoderError(f"{what}: {name} has to be finite")
    if settings.std is not None and min(settings.std) <= 0:
        raise EncoderError(f"{what}: std has to be more than 0")
