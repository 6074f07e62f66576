"""Encoders in the user's own code: `python:package.module:function` or `python:FILE.py:function`.

The function is called with a tuple of the set's sensors (`jepa_core.sensors.Sensor`: name, bands in the order of the
pixels, unit, nodata) and returns an object with

- `describe(pixels, sensor)`: pixels (patches, bands, y, x) in the sensor's own unit, missing ones marked as the sensor
  marks them, to a mapping with `same` (searches within a sensor) and, where there are vectors of their own for it,
  `cross` (searches across sensors): floating point (patches, dimension) each, or (patches, tokens, dimension), which
  are averaged. Norms do not matter. A sensor that it does not know, it refuses by a `ValueError` with a plain message.
- `fingerprint`: text that changes whenever descriptors would, e.g. a digest of the file of weights. The source file
  that the function is taken from counts too, without being named in it; whatever else descriptors hang on does not:
  other modules that it imports, files, environment variables, versions of packages.
- `parameters`, if it likes: number of parameters over all sensors.
- `sensors`, if it likes: names of the sensors that it knows; without it, all of the set's.

Bands, sizes and normalisation are its own business.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jepa_core.errors import JepaError
from jepa_core.external.outputs import unit_features
from jepa_core.external.settings import EncoderError
from jepa_core.fingerprint import file_digest, fingerprint
from jepa_core.sensors import Sensor, sensor_to_json
from jepa_core.vectors import PURPOSES, Purpose


@dataclass(frozen=True)
class EntryPoint:
    """A user's object as a `Describer`."""

    name: str
    """What was typed."""

    fingerprint: str
    """Over the spec, its source file, the sensors and the object's own."""

    parameters: int | None
    """As the object says; None where it does not."""

    sensors: tuple[str, ...]
    """Names of the sensors that it describes."""

    encoder: Any
    """The user's object."""

    config: Mapping[str, Any]
    """What a report says of it: spec, digest of the source file, the object's own fingerprint."""

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """See `Describer.describe`.

        Raises:
            EncoderError: the object does not know the sensor, fails, or gives what it may not.
        """
        if sensor.name not in self.sensors:
            raise EncoderError(f"{self.name} is for {', '.join(self.sensors)}, not for {sensor.name}")
        try:
            described = self.encoder.describe(pixels, sensor)
        except JepaError:
            raise
        # It is the user's code, and fails as it likes; the cause is kept for a traceback.
        except Exception as error:
            raise EncoderError(f"{self.name} fails on {sensor.name}: {type(error).__name__}: {error}") from error
        if not isinstance(described, Mapping) or not described or not set(described) <= set(PURPOSES):
            got = ", ".join(map(str, described)) if isinstance(described, Mapping) else type(described).__name__
            raise EncoderError(f"{self.name} gave {got or 'nothing'}; a mapping of {' and '.join(PURPOSES)} is needed")
        what = f"{self.name} on {sensor.name}"
        return {p: unit_features(described[p], len(pixels), what) for p in PURPOSES if p in described}


def open_entry_point(spec: str, rest: str, sensors: tuple[Sensor, ...]) -> EntryPoint:
    """Calls the user's function.

    Args:
        spec: as it was typed.
        rest: the spec behind `python:`.
        sensors: what the function is called with.

    Raises:
        EncoderError: nothing to import there, the function fails, or what it returns lacks something.
    """
    place, _, function = rest.rpartition(":")
    if not place or not function.isidentifier():
        raise EncoderError(f"{spec} has to be python:package.module:function or python:FILE.py:function")
    try:
        module = _module(place)
    # An import runs the user's code.
    except Exception as error:
        raise EncoderError(f"{spec} cannot be imported: {type(error).__name__}: {error}") from error
    made = getattr(module, function, None)
    if not callable(made):
        raise EncoderError(f"{place} has no function {function!r}")
    try:
        encoder = made(sensors)
    except JepaError:
        raise
    except Exception as error:
        raise EncoderError(f"{spec} cannot be opened: {type(error).__name__}: {error}") from error
    own = getattr(encoder, "fingerprint", None)
    if not callable(getattr(encoder, "describe", None)) or not isinstance(own, str) or not own:
        raise EncoderError(f"{spec} has to return an object with describe(pixels, sensor) and a text fingerprint")
    config = {"spec": spec, "source_sha256": _source_digest(module), "fingerprint": own}
    known = [sensor.name for sensor in sensors]
    named = tuple(getattr(encoder, "sensors", known))
    parameters = getattr(encoder, "parameters", None)
    return EntryPoint(
        name=spec,
        fingerprint=fingerprint(["python", config, [sensor_to_json(sensor) for sensor in sensors]]),
        parameters=parameters if isinstance(parameters, int) else None,
        sensors=tuple(name for name in known if name in named),
        encoder=encoder,
        config=config,
    )


def _source_digest(module: ModuleType) -> str | None:
    """Of a module's source file; None where there is none, as of a compiled one."""
    try:
        source = inspect.getsourcefile(module)
    # Built-in modules and folders without an `__init__.py` have no file at all.
    except TypeError:
        return None
    # A module of a zip file has a path, but no file of its own.
    return file_digest(Path(source)) if source is not None and Path(source).is_file() else None


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(place).resolve()
    found = importlib.util.spec_from_file_location(f"jepa_encoder_{path.stem}", path)
    if found is None or found.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {place}")
    module = importlib.util.module_from_spec(found)
    # Dataclasses and pickles look their module up by name.
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module
