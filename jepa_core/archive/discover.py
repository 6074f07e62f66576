"""From the settings to the archive's scenes."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jepa_core.archive.scene import ArchiveError, Scene
from jepa_core.sensors import Sensor
from jepa_core.settings import Settings
from jepa_core.store import Store


@dataclass(frozen=True)
class Archive:
    """A root folder of scenes that the user holds."""

    root: Path
    """Absolute path."""

    def scenes(self, sensor: Sensor) -> list[Scene]:
        """Scenes of one sensor, sorted by id.

        Raises:
            ArchiveError: nothing readable of this sensor under the root.
        """
        from jepa_core.archive.bigearthnet import read_scenes
        from jepa_core.archive.scene_table import NAME, read_scene_table

        scenes = [*read_scenes(self.root, sensor), *read_scene_table(self.root, sensor)]
        if not scenes:
            raise ArchiveError(
                f"no {sensor.name} scenes under {self.root}. Expected the layout of BigEarthNet v1 (a folder "
                f"a patch, named {sensor.short.upper()}A_... or {sensor.short.upper()}B_...) or a table {NAME}"
            )
        most, count = Counter(scene.id for scene in scenes).most_common(1)[0]
        if count > 1:
            raise ArchiveError(f"{count} {sensor.name} scenes under {self.root} have the id {most}")
        return sorted(scenes, key=lambda scene: scene.id)


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
    return Archive(root)
