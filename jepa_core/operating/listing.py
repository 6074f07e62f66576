"""What the archive lists, beside what became of it at the last extraction. No scene is opened."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from jepa_core import tables, versions
from jepa_core.archive.discover import Archive, archive_identity
from jepa_core.archive.scene import ArchiveError, Source
from jepa_core.cutting import CutConfig
from jepa_core.fingerprint import fingerprint
from jepa_core.grid import Grid
from jepa_core.patch_store import settings_mark
from jepa_core.sensors import Sensor
from jepa_core.settings import Settings
from jepa_core.stages import read_record
from jepa_core.store import Store


@dataclass(frozen=True)
class Listed:
    """Places of an archive that should hold a scene of one sensor."""

    places: int
    """How many there are."""

    new: int
    """Those that the last extraction did not know."""

    changed: int | None
    """Those whose files are others than then; None where it is not known with which settings patches were cut."""

    gone: int
    """Those that it knew and that are not there any more."""


def archive_there(settings: Settings, store: Store) -> Archive:
    """The archive of the settings, as it lies there; nothing is fetched.

    Raises:
        ArchiveError: it is not there.
    """
    if settings.archive is None:
        if not store.sample_archive.is_dir():
            raise ArchiveError("the sample was not fetched yet")
        return Archive(store.sample_archive)
    archive = Archive(settings.archive.expanduser().resolve())
    if not archive.root.is_dir():
        raise ArchiveError(f"JEPA_ARCHIVE is {archive_identity(settings)!r}, which is not a folder")
    return archive


def known_places(store: Store, sensor: Sensor) -> dict[str, dict[str, Any]]:
    """What became of each place at the last extraction (rows of schema `tables.SOURCES`), by place.

    Raises:
        InvalidTableError: the table cannot be read.
    """
    path = store.patches(sensor) / "sources.parquet"
    rows = tables.records(tables.read_table(path, tables.SOURCES)) if path.exists() else []
    return {row["place"]: row for row in rows}


def compare(store: Store, sensor: Sensor, sources: Sequence[Source]) -> Listed:
    """Places that are listed now, beside those of the last extraction.

    Raises:
        JepaError: what the last extraction left cannot be read.
    """
    known = known_places(store, sensor)
    listed = {source.place: source.stamp for source in sources}
    there = listed.keys() & known.keys()
    settings = _settings(store, sensor)
    changed = None
    if settings is not None or not there:
        changed = sum(known[place]["fingerprint"] != _mark(listed[place], settings) for place in there)
    return Listed(len(listed), len(listed.keys() - there), changed, len(known.keys() - there))


def _mark(stamp: str, settings: dict[str, Any] | None) -> str:
    return fingerprint({"stamp": stamp, **(settings or {})})


def _settings(store: Store, sensor: Sensor) -> dict[str, Any] | None:
    """Settings that the patches were cut with; None where nothing says which they were."""
    record = read_record(store, f"{sensor.name}_patches")
    config = record.config if record is not None else {}
    grid = Grid(**{field.name: config[field.name] for field in fields(Grid) if field.name in config})
    shares = ("min_valid_fraction", "max_cloud_fraction")
    cut = CutConfig(grid, **{name: config[name] for name in shares if name in config})
    bands = sensor.with_bands(config.get("bands") or sensor.band_names).band_names
    found = {"config": asdict(cut), "bands": bands, "version": versions.PATCHES}
    # Of another code version each place has changed; of other settings nothing is known.
    return found if record is not None or fingerprint(found) == settings_mark(store, sensor) else None
