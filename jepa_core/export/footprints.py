"""Squares in metres of UTM zones to polygons in longitude and latitude."""

import numpy as np
import pandas as pd
import shapely
from rasterio.warp import transform

_WEST_EAST = shapely.box(-180, -90, 180, 90)


def footprints(patches: pd.DataFrame) -> np.ndarray:
    """The ground that patches cover, in longitude and latitude (OGC:CRS84).

    Corners are brought over and joined by straight lines, which over a patch of 1.2 km err by less than a metre.

    Args:
        patches: with the columns `crs`, `xmin`, `ymin`, `xmax` and `ymax`; one zone or several.

    Returns:
        (patches,) of counterclockwise polygons; of two, one at each end of the map, where a patch lies across 180°.
    """
    xs = patches[["xmin", "xmax", "xmax", "xmin"]].to_numpy()
    ys = patches[["ymin", "ymin", "ymax", "ymax"]].to_numpy()
    corners = np.empty((len(patches), 4, 2))
    codes = patches["crs"].to_numpy()
    for crs in np.unique(codes.astype(str)):
        of_zone = codes == crs
        lon, lat = transform(crs, "OGC:CRS84", xs[of_zone].ravel(), ys[of_zone].ravel())
        corners[of_zone] = np.stack([lon, lat], axis=1).reshape(-1, 4, 2)
    # All corners on one turn of the circle: none farther than half a turn from the first.
    first = corners[:, :1, 0]
    corners[..., 0] = first + (corners[..., 0] - first + 180) % 360 - 180
    found: np.ndarray = shapely.polygons(corners)
    beyond = (np.abs(corners[..., 0]) > 180).any(axis=1)
    found[beyond] = [_split(polygon) for polygon in found[beyond]]
    return np.asarray(shapely.orient_polygons(found))


def _split(polygon: shapely.Polygon) -> shapely.Geometry:
    turns = [shapely.transform(polygon, lambda xy, by=by: xy + np.array([by, 0])) for by in (-360, 0, 360)]
    parts = [shapely.intersection(turn, _WEST_EAST) for turn in turns]
    return shapely.multipolygons([part for part in parts if part.geom_type == "Polygon" and part.area > 0])
