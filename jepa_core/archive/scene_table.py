"""Plain rasters with a table that says what they are: `scenes.csv` at the root of the archive.

A line a band: `scene,sensor,time,band,file,number,unit,nodata`. `file` counts from the table's folder; `number` is the
band's number in the file (empty: 1); `unit` is `DN` or `reflectance` for Sentinel-2, `dB` or `linear` for Sentinel-1,
and never guessed; `nodata` overrides the file's own tag (empty: it does not).
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from jepa_core.archive.addresses import local_path
from jepa_core.archive.listing import stat_of
from jepa_core.archive.scene import ArchiveError, BandRaster, Scene, Source
from jepa_core.archive.times import parse_time
from jepa_core.errors import UnknownNameError
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import SENSORS, Sensor, sensor_named

NAME = "scenes.csv"

_COLUMNS = ("scene", "sensor", "time", "band", "file", "number", "unit", "nodata")
_UNITS = {"DN": ("DN", "reflectance"), "dB": ("dB", "linear")}


def find_sources(root: Path, sensor: Sensor) -> Iterator[Source]:
    """Scenes of one sensor in the table; none where there is no table.

    A line that is wrong spoils its scene alone, a table without the columns all of them.
    """
    path = root / NAME
    if not path.exists():
        return
    lines: dict[str, list[tuple[str, dict[str, str]]]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or [])]
            if missing:
                raise ArchiveError(f"{path} has no column {', '.join(missing)}; it needs {','.join(_COLUMNS)}")
            for row in reader:
                if _is_of(row, sensor):
                    lines[row["scene"]].append((f"{path}, line {reader.line_num}", row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error
    for scene, rows in sorted(lines.items()):
        files = [root / (row["file"] or "") for _, row in rows]
        stats = [stat_of(file) for file in files]
        yield Source(
            sensor,
            f"{NAME}#{scene}",
            fingerprint([[list(row.values()) for _, row in rows], stats]),
            partial(_read_scene, scene, rows, root, sensor),
            files=partial(tuple, files),
        )


def _is_of(row: dict[str, str], sensor: Sensor) -> bool:
    try:
        return sensor_named(row["sensor"] or "").name == sensor.name
    except UnknownNameError:
        # Nobody's line is everybody's: it must show up somewhere.
        return True


def _read_scene(scene: str, rows: list[tuple[str, dict[str, str]]], root: Path, sensor: Sensor) -> Scene:
    times: set[datetime] = set()
    bands: dict[str, BandRaster] = {}
    for where, row in rows:
        time, band, raster = _line(row, root, sensor, where)
        times.add(time)
        if band in bands:
            raise ArchiveError(f"{where}: scene {scene} has band {band} twice")
        bands[band] = raster
    lacking = [name for name in sensor.band_names if name not in bands]
    if lacking:
        raise ArchiveError(f"{root / NAME}: scene {scene} has no band {', '.join(lacking)}")
    if len(times) > 1:
        raise ArchiveError(f"{root / NAME}: scene {scene} has {len(times)} different times")
    return Scene(scene, sensor, times.pop(), rasters={name: bands[name] for name in sensor.band_names})


def _line(row: dict[str, str], root: Path, sensor: Sensor, where: str) -> tuple[datetime, str, BandRaster]:
    if None in row.values():
        raise ArchiveError(f"{where}: the line has fewer fields than the table has columns")
    try:
        sensor_named(row["sensor"])
    except UnknownNameError as error:
        raise ArchiveError(f"{where}: {error}") from error
    known = SENSORS[sensor.name].band_names
    if row["band"] not in known:
        raise ArchiveError(f"{where}: {sensor.name} has no band {row['band']!r}")
    allowed = _UNITS[sensor.bands[0].unit]
    if row["unit"] not in allowed:
        raise ArchiveError(f"{where}: the unit is {row['unit']!r}; for {sensor.name} it is {' or '.join(allowed)}")
    try:
        number = int(row["number"] or 1)
        nodata = float(row["nodata"]) if row["nodata"] else None
    except ValueError as error:
        raise ArchiveError(f"{where}: {error}") from error
    path = local_path(row["file"], root, root, where)
    # A time that names no zone is taken as UTC, which acquisition times are given in.
    return parse_time(row["time"], where), row["band"], BandRaster(str(path), row["unit"], number, nodata=nodata)
