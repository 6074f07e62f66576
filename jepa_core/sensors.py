"""The sensors and their bands: by name, with unit, native resolution and the range that values may take."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from jepa_core.errors import UnknownNameError


@dataclass(frozen=True)
class Band:
    """One band of a sensor."""

    name: str
    """Name as the data provider writes it, e.g. `B8A` or `VV`."""

    resolution_m: float
    """Native ground sampling distance, metres."""

    unit: str
    """Unit of the stored values: `DN` (reflectance x 10,000) or `dB`."""

    mean_range: tuple[float, float]
    """Where the mean over a set of patches lies; outside it, values are in another unit."""


@dataclass(frozen=True)
class Sensor:
    """One sensor of the archive."""

    name: str
    """Long name, used in folders and asset names, e.g. `sentinel2`."""

    short: str
    """Name typed on the command line, e.g. `s2`."""

    bands: tuple[Band, ...]
    """In the order in which stored pixels and model inputs hold them; look a band up by name."""

    nodata: float | None
    """Stored value that marks a missing measurement; None where NaN does."""

    dtype: str
    """numpy dtype of stored pixels."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands, in stored order."""
        return tuple(band.name for band in self.bands)

    def with_bands(self, names: Sequence[str]) -> "Sensor":
        """The sensor with only the named bands, in its own order.

        Raises:
            UnknownNameError: a name is not a band of this sensor, or there is none.
        """
        kept = sorted(set(self.positions(names)))
        if not kept:
            raise UnknownNameError(f"at least one band of {self.name} is needed: {', '.join(self.band_names)}")
        return self if len(kept) == len(self.bands) else replace(self, bands=tuple(self.bands[i] for i in kept))

    def positions(self, names: Sequence[str]) -> list[int]:
        """Positions of the named bands along the band axis.

        Raises:
            UnknownNameError: a name is not a band of this sensor; the message names it.
        """
        known = {name: i for i, name in enumerate(self.band_names)}
        for name in names:
            if name not in known:
                raise UnknownNameError(f"{self.name} has no band {name!r}; it has {', '.join(known)}")
        return [known[name] for name in names]


def _reflectance(name: str, resolution_m: float) -> Band:
    return Band(name, resolution_m, unit="DN", mean_range=(5.0, 20000.0))


def _backscatter(name: str) -> Band:
    return Band(name, resolution_m=10.0, unit="dB", mean_range=(-45.0, 10.0))


SENTINEL1 = Sensor(
    name="sentinel1",
    short="s1",
    bands=(_backscatter("VV"), _backscatter("VH")),
    nodata=None,
    dtype="float32",
)

# Level-2A has no B10 (cirrus); the 12 bands that are left are those of BigEarthNet and of CR-JEPA.
SENTINEL2 = Sensor(
    name="sentinel2",
    short="s2",
    bands=(
        _reflectance("B01", 60.0),
        _reflectance("B02", 10.0),
        _reflectance("B03", 10.0),
        _reflectance("B04", 10.0),
        _reflectance("B05", 20.0),
        _reflectance("B06", 20.0),
        _reflectance("B07", 20.0),
        _reflectance("B08", 10.0),
        _reflectance("B8A", 20.0),
        _reflectance("B09", 60.0),
        _reflectance("B11", 20.0),
        _reflectance("B12", 20.0),
    ),
    nodata=0,
    dtype="uint16",
)

SENSORS = {sensor.name: sensor for sensor in (SENTINEL1, SENTINEL2)}


def sensor_named(name: str) -> Sensor:
    """The sensor of a long or a short name.

    Raises:
        UnknownNameError: no sensor has that name; the message lists those that are known.
    """
    for sensor in SENSORS.values():
        if name.lower() in (sensor.name, sensor.short):
            return sensor
    known = ", ".join(f"{s.short} ({s.name})" for s in SENSORS.values())
    raise UnknownNameError(f"unknown sensor {name!r}; known are {known}")


def sensor_to_json(sensor: Sensor) -> dict[str, Any]:
    """The record as JSON holds it."""
    return asdict(sensor)


def sensor_from_json(fields: Mapping[str, Any]) -> Sensor:
    """The record that `sensor_to_json` and JSON made `fields` from."""
    bands = tuple(Band(**band | {"mean_range": tuple(band["mean_range"])}) for band in fields["bands"])
    return Sensor(**{**fields, "bands": bands})
