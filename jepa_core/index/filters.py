"""What a search is restricted to, before anything is scored."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import shapely

from jepa_core.errors import JepaError

BoundingBox = tuple[float, float, float, float]


class FilterError(JepaError):
    """A filter that makes no sense."""


@dataclass(frozen=True)
class Filter:
    """Conditions that a patch has to meet, all of them; the sensor is the gallery's.

    Raises:
        FilterError: bounds that no patch can meet, or that are no place or share.
    """

    bbox: BoundingBox | None = None
    """West, south, east, north, degrees; a patch is inside when its centre is. West above east: across 180°."""

    area: shapely.Geometry | None = None
    """Polygon or several, in longitude and latitude; a patch is inside when its centre is."""

    start: datetime | None = None
    """Acquired then or later, with a time zone."""

    end: datetime | None = None
    """Acquired before then, with a time zone."""

    max_cloud: float | None = None
    """Largest cloud fraction; where it is not known (radar, L1C), a patch passes."""

    min_valid: float | None = None
    """Smallest fraction of measured pixels."""

    labels: tuple[str, ...] = ()
    """The patch has one of them at least."""

    scenes: tuple[str, ...] = ()
    """The patch is of one of these scenes."""

    def __post_init__(self) -> None:
        """Refuses what can only be a mistake."""
        if self.bbox is not None:
            west, south, east, north = self.bbox
            if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
                raise FilterError(f"{self.bbox} is no bounding box: west, south, east, north in degrees are meant")
        if self.area is not None and self.area.geom_type not in ("Polygon", "MultiPolygon"):
            raise FilterError(f"an area has to be a polygon or several, not a {self.area.geom_type}")
        if self.area is not None and not self.area.is_valid:
            raise FilterError(f"the area is no valid polygon: {shapely.is_valid_reason(self.area)}")
        if self.area is not None:
            west, south, east, north = self.area.bounds
            if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
                raise FilterError(
                    f"the area reaches from {west:g}, {south:g} to {east:g}, {north:g}: degrees are meant"
                )
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment is not None and moment.tzinfo is None:
                raise FilterError(f"the {name} {moment} has no time zone; UTC is written as {moment.isoformat()}Z")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise FilterError(f"the time range is empty: {self.start} is not before {self.end}")
        for name, share in (("max_cloud", self.max_cloud), ("min_valid", self.min_valid)):
            if share is not None and not 0 <= share <= 1:
                raise FilterError(f"{name} is {share:g}; a fraction from 0 to 1 is meant")

    @property
    def passes_all(self) -> bool:
        """Whether no condition is set."""
        return self == EVERYTHING


EVERYTHING = Filter()


def read_area(path: Path) -> shapely.Geometry:
    """The polygons of a GeoJSON file (a geometry, a feature or a collection), in longitude and latitude.

    Raises:
        FilterError: the file cannot be read, or holds no polygon.
    """
    try:
        parsed = json.loads(path.read_text())
        area = shapely.union_all([shapely.from_geojson(json.dumps(geometry)) for geometry in _geometries(parsed)])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise FilterError(f"{path} is not readable as GeoJSON: {error}") from error
    if area.is_empty:
        raise FilterError(f"{path} holds no geometry")
    return area


def _geometries(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    if parsed["type"] == "FeatureCollection":
        return [feature["geometry"] for feature in parsed["features"]]
    return [parsed["geometry"] if parsed["type"] == "Feature" else parsed]
