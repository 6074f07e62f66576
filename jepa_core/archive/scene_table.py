"""Plain rasters with a table that says what they are: `scenes.csv` at the root of the archive.

A line a band: `scene,sensor,time,band,file,number,unit,nodata`. `file` counts from the table's folder; `number` is the
band's number in the file (empty: 1); `unit` is `DN` or `reflectance` for Sentinel-2, `dB` or `linear` for Sentinel-1,
and never guessed; `nodata` overrides the file's own tag (empty: it does not).
"""

import csv
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from jepa_core.archive.scene import ArchiveError, BandFile, BandRaster, Scene
from jepa_core.sensors import Sensor, sensor_named

NAME = "scenes.csv"

_COLUMNS = ("scene", "sensor", "time", "band", "file", "number", "unit", "nodata")
_UNITS = {"DN": ("DN", "reflectance"), "dB": ("dB", "linear")}


def read_scene_table(root: Path, sensor: Sensor) -> list[Scene]:
    """Scenes of one sensor in the table, sorted by id; none where there is no table.

    Raises:
        ArchiveError: the table lacks a column, or a line is wrong; the message gives the line.
    """
    path = root / NAME
    if not path.exists():
        return []
    found: dict[str, tuple[datetime, dict[str, BandRaster]]] = {}
    times: dict[str, set[datetime]] = defaultdict(set)
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise ArchiveError(f"{path} has no column {', '.join(missing)}; it needs {','.join(_COLUMNS)}")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if sensor_named(row["sensor"]) is not sensor:
                continue
            time, band, raster = _line(row, root, sensor, where)
            times[row["scene"]].add(time)
            bands = found.setdefault(row["scene"], (time, {}))[1]
            if band in bands:
                raise ArchiveError(f"{where}: scene {row['scene']} has band {band} twice")
            bands[band] = raster
    for scene, (_, bands) in found.items():
        lacking = [name for name in sensor.band_names if name not in bands]
        if lacking:
            raise ArchiveError(f"{path}: scene {scene} has no band {', '.join(lacking)}")
        if len(times[scene]) > 1:
            raise ArchiveError(f"{path}: scene {scene} has {len(times[scene])} different times")
    return [
        Scene(id=scene, sensor=sensor, time=time, rasters={name: bands[name] for name in sensor.band_names})
        for scene, (time, bands) in sorted(found.items())
    ]


def _line(row: dict[str, str], root: Path, sensor: Sensor, where: str) -> tuple[datetime, str, BandRaster]:
    if row["band"] not in sensor.band_names:
        raise ArchiveError(f"{where}: {sensor.name} has no band {row['band']!r}")
    allowed = _UNITS[sensor.bands[0].unit]
    if row["unit"] not in allowed:
        raise ArchiveError(f"{where}: the unit is {row['unit']!r}; for {sensor.name} it is {' or '.join(allowed)}")
    try:
        time = datetime.fromisoformat(row["time"])
        number = int(row["number"] or 1)
        nodata = float(row["nodata"]) if row["nodata"] else None
    except ValueError as error:
        raise ArchiveError(f"{where}: {error}") from error
    # A time that names no zone is taken as UTC, which acquisition times are given in.
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    path = (root / row["file"]).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ArchiveError(f"{where}: {row['file']} lies outside the archive")
    if not path.is_file():
        raise ArchiveError(f"{where}: there is no file {path}")
    status = path.stat()
    return (
        time,
        row["band"],
        BandRaster(BandFile(path, status.st_size, status.st_mtime_ns), number, row["unit"], nodata),
    )
