"""Scene: one acquisition of one sensor, whatever file format it came in."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jepa_core.errors import JepaError
from jepa_core.fingerprint import fingerprint
from jepa_core.grid import Cell
from jepa_core.sensors import Sensor


@dataclass(frozen=True)
class BandFile:
    """The raster that holds one band."""

    path: Path
    """A file that rasterio opens; one band in it."""

    size: int
    """Bytes, when the archive was listed."""

    modified_ns: int
    """Time of last change, when the archive was listed."""


@dataclass(frozen=True)
class BandRaster:
    """One band of a whole scene."""

    file: BandFile
    """The raster it lies in."""

    number: int
    """Its number there, from 1."""

    unit: str
    """Unit of its values: the sensor's own, or `reflectance` or `linear`, which are converted."""

    nodata: float | None
    """Value that marks a missing measurement; None where the file's own tag is right."""


@dataclass(frozen=True)
class ReadyPatch:
    """A patch that the archive brings cut, as benchmark sets do."""

    name: str
    """The set's own name of it; becomes the patch id."""

    cell: Cell
    """The set's own cell."""

    bands: dict[str, BandFile]
    """File of each band, by band name."""

    labels: tuple[str, ...]
    """Class names in the nomenclature of the benchmark; empty where unlabelled."""

    split: str | None
    """`train`, `val` or `test` where the set says so."""

    partner: str | None
    """Name of the other sensor's patch that the set pairs with this one."""


@dataclass(frozen=True)
class Scene:
    """One acquisition of one sensor."""

    id: str
    """Product name without its file ending; unique within the sensor."""

    sensor: Sensor
    """The sensor that took it."""

    time: datetime
    """Start of the acquisition, UTC."""

    patches: tuple[ReadyPatch, ...] = ()
    """Ready-cut patches, by name; empty for a scene that is still to be cut."""

    rasters: dict[str, BandRaster] = field(default_factory=dict)
    """Raster of each band, by band name, for a scene that is still to be cut."""

    def content(self) -> str:
        """Fingerprint of the scene as it lies in the archive: names, sizes and times of its files."""
        return fingerprint(
            {
                "id": self.id,
                "time": self.time.isoformat(),
                "rasters": {
                    band: [r.file.path.name, r.file.size, r.file.modified_ns, r.number, r.unit, r.nodata]
                    for band, r in self.rasters.items()
                },
                "patches": [
                    {
                        "name": patch.name,
                        "cell": patch.cell.id,
                        "labels": list(patch.labels),
                        "split": patch.split,
                        "partner": patch.partner,
                        "files": {
                            band: [file.path.name, file.size, file.modified_ns] for band, file in patch.bands.items()
                        },
                    }
                    for patch in self.patches
                ],
            }
        )


class ArchiveError(JepaError):
    """Something in the archive cannot be read as what it claims to be."""
