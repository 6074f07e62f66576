"""Sentinel-1 GRD products in SAFE (IW)."""

from collections.abc import Iterator
from pathlib import Path

from jepa_core.archive.scene import Source
from jepa_core.sensors import Sensor


def find_sources(root: Path, sensor: Sensor) -> Iterator[Source]:
    yield from ()
