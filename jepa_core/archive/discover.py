"""From the settings to the places in the archive that should hold scenes."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from jepa_core.archive.scene import ArchiveError, Source, printable
from jepa_core.sensors import Sensor
from jepa_core.settings import Settings
from jepa_core.store import Store


@dataclass(frozen=True)
class Archive:
    """A root folder of scenes that the user holds."""

    root: Path
    """Absolute path."""

    settle_s: float = 0.0
    """For so long, in seconds, a place must not have changed before it is read; 0: nothing is being copied here."""

    memory: Path | None = None
    """Folder for what STAC APIs said; None: they are listed whole each time."""

    def sources(self, sensor: Sensor) -> list[Source]:
        """Places that should hold a scene of the sensor, by any of the readers, sorted.

        Raises:
            ArchiveError: there are none, or a list of the archive's own (`scenes.csv`, `stac.json`) cannot be read.
        """
        from jepa_core.archive import bigearthnet, scene_table, sentinel1_safe, sentinel2_safe, stac

        readers = (
            sentinel1_safe.find_sources,
            sentinel2_safe.find_sources,
            partial(stac.find_sources, memory=self.memory),
            bigearthnet.find_sources,
            scene_table.find_sources,
        )
        # Names of files need not be text; tables hold nothing else.
        sources = [
            replace(source, place=printable(source.place))
            for find_sources in readers
            for source in find_sources(self.root, sensor)
        ]
        if not sources:
            raise ArchiveError(
                f"no {sensor.name} scenes under {self.root}. Looked for SAFE folders and zips, STAC items and "
                f"{stac.NAME}, BigEarthNet's patch folders, and a table {scene_table.NAME}"
            )
        return sorted(sources, key=lambda source: source.place)


SAMPLE = "sample"
"""What a data root is bound to where no archive is named."""


def archive_identity(settings: Settings) -> str:
    """What a data root of these settings is bound to: the archive's resolved path, or `sample`."""
    return SAMPLE if settings.archive is None else str(settings.archive.expanduser().resolve())


def open_archive(settings: Settings, store: Store) -> Archive:
    """The archive of the settings; the sample is fetched where none is named.

    Raises:
        ArchiveError: JEPA_ARCHIVE is not a folder.
        DownloadError: the sample could not be fetched.
    """
    if settings.archive is None:
        from jepa_core.archive.sample import ensure_sample

        return Archive(ensure_sample(store))
    root = Path(archive_identity(settings))
    if not root.is_dir():
        raise ArchiveError(f"JEPA_ARCHIVE is {str(settings.archive)!r}, which is not a folder")
    return Archive(root, settings.settle_seconds, store.catalogues)
