"""Scene: one acquisition of one sensor, whatever file format it came in."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_core.errors import JepaError
from jepa_core.grid import Cell
from jepa_core.sensors import Sensor

if TYPE_CHECKING:
    from jepa_core.radar.band import RadarBand


class ArchiveError(JepaError):
    """Something in the archive cannot be read as what it claims to be."""


def printable(text: str) -> str:
    """Text that any file can hold: names on a disk may be bytes that are no UTF-8, which Python keeps as surrogates."""
    return text.encode(errors="backslashreplace").decode()


@dataclass(frozen=True)
class BandRaster:
    """One band of a whole scene, or a map that belongs to it, on a grid of map coordinates."""

    address: str
    """What rasterio opens: a path, or GDAL's name of a zipped or remote file."""

    unit: str
    """Unit of its values: the sensor's own, or `reflectance` or `linear`, which are converted."""

    number: int = 1
    """Its number in the file, from 1."""

    scale: float = 1.0
    """What stored values are multiplied with."""

    offset: float = 0.0
    """What is added then, in `unit`."""

    nodata: float | None = None
    """Stored value that marks a missing measurement; None where the file's own tag is right."""


@dataclass(frozen=True)
class ReadyPatch:
    """A patch that the archive brings cut, as benchmark sets do."""

    name: str
    """The set's own name of it; becomes the patch id."""

    cell: Cell
    """The set's own cell."""

    bands: dict[str, str]
    """Address of each band's raster, by band name."""

    labels: tuple[str, ...]
    """Class names in the nomenclature of the benchmark; empty where unlabelled."""

    split: str | None
    """`train`, `val` or `test` where the set says so."""

    partner: str | None
    """Name of the other sensor's patch that the set pairs with this one."""


@dataclass(frozen=True)
class Product:
    """What the product that a scene came in says of itself; empty where it says nothing."""

    acquisition: str = ""
    """The same for all processings of one acquisition; empty: the scene stands for itself."""

    processed: str = ""
    """Of two processings of one acquisition, the one that sorts last replaces the other."""

    level: str = ""
    """`L1C`, `L2A`, `GRD` or `RTC`."""

    baseline: str = ""
    """Processing baseline or processor version."""

    offset_dn: float = 0.0
    """What was added to the stored values of Sentinel-2 to make DN that mean reflectance x 10,000."""

    orbit_pass: str = ""
    """`ascending` or `descending`."""

    relative_orbit: int | None = None
    """Number of the orbit in its cycle."""


@dataclass(frozen=True)
class Fault:
    """Something in the archive that could not be read."""

    place: str
    """Where it lies, as a person would look for it."""

    reason: str
    """What is wrong, and with which file."""


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

    rasters: "Mapping[str, BandRaster | RadarBand]" = field(default_factory=dict)
    """Each band, by band name, for a scene that is still to be cut."""

    epsg: int | None = None
    """Zone that the metadata say the rasters lie in; None where they say nothing."""

    classes: BandRaster | None = None
    """Scene classification (SCL) of Sentinel-2 Level-2A, where the product brings it."""

    product: Product = Product()
    """What its product says of itself."""

    faults: tuple[Fault, ...] = ()
    """Ready-cut patches of it that could not be read; the others stand."""


@dataclass(frozen=True)
class Source:
    """A place in the archive that should hold a scene; listing it opens as little as can be."""

    sensor: Sensor
    """The sensor that it is listed for."""

    place: str
    """Where it lies, as a person would look for it."""

    stamp: str
    """Changes when any of its files does."""

    read: Callable[[], Scene]
    """Reads its metadata. Raises `ArchiveError` where it is not what it claims to be."""

    remote: bool = False
    """Whether reading may fail for reasons that pass by themselves."""

    files: Callable[[], Iterable[Path]] = tuple
    """Its files on this machine, some of which may still be on their way; asked of new and changed places alone."""

    lacking: Callable[[], str] = str
    """What of it has not come yet, by its own list of its files; empty where nothing is known to be missing."""
