"""What the archive lists, beside what became of it at the last extraction. No scene is opened."""

from dataclasses import dataclass
from typing import Any

from jepa_core import tables
from jepa_core.acquisitions import Acquisitions, cut_settings, look
from jepa_core.archive.discover import Archive, archive_identity
from jepa_core.archive.scene import ArchiveError
from jepa_core.patch_store import read_sources
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

    changed: int
    """Those whose files are others than then."""

    gone: int
    """Those that it knew and that are not there any more."""

    waiting: int
    """Those that are still being copied."""


def archive_there(settings: Settings, store: Store) -> Archive:
    """The archive of the settings, as it lies there; nothing is fetched.

    Raises:
        ArchiveError: it is not there.
    """
    if settings.archive is None:
        if not store.sample_archive.is_dir():
            raise ArchiveError("the sample was not fetched yet")
        return Archive(store.sample_archive)
    archive = Archive(settings.archive.expanduser().resolve(), settings.settle_seconds, store.catalogues)
    if not archive.root.is_dir():
        raise ArchiveError(f"JEPA_ARCHIVE is {archive_identity(settings)!r}, which is not a folder")
    return archive


def known_places(store: Store, sensor: Sensor) -> dict[str, dict[str, Any]]:
    """What became of each place at the last extraction (rows of schema `tables.SOURCES`), by place.

    Raises:
        InvalidTableError: the table cannot be read.
    """
    return {row["place"]: row for row in tables.records(read_sources(store, sensor))}


def listed_now(store: Store, archive: Archive, sensor: Sensor) -> Acquisitions:
    """Places that are listed now, beside those of the last extraction, with the settings of that.

    Raises:
        JepaError: the archive or what the last extraction left cannot be read.
    """
    record = read_record(store, f"{sensor.name}_patches")
    return look(store, archive, *cut_settings(sensor, record.config if record is not None else {}))


def listed(found: Acquisitions) -> Listed:
    """How many they are."""
    places = len(found.sources) + len(found.waiting)
    return Listed(places, len(found.new), len(found.changed), len(found.gone), len(found.waiting))
