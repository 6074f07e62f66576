"""The rim of a radar image on the ground."""

import numpy as np

from jepa_core.radar.annotation import GeolocationGrid


def outline_of(grid: GeolocationGrid, lines: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes along the rim of an image; see `RadarBand.outline`."""
    longitude, latitude = np.radians(grid.longitude), np.radians(grid.latitude)
    # Directions from the Earth's axis know no antimeridian.
    points = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=-1
    )
    down, along = _rim(grid.line[:, 0], lines), _rim(grid.pixel[0], samples)
    points = np.einsum("ai,ijk->ajk", _hats(grid.line[:, 0], down), points)
    points = np.einsum("bj,ajk->abk", _hats(grid.pixel[0], along), points)
    x, y, z = np.concatenate([points[0], points[:, -1], points[-1, ::-1], points[::-1, 0]]).T
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def _rim(nodes: np.ndarray, pixels: int) -> np.ndarray:
    """Places along an edge, each 100th pixel and all nodes, from half a pixel before it to half a pixel past it."""
    first, last = -0.5, pixels - 0.5
    inner = np.concatenate([nodes, np.arange(first, last, 100.0)])
    return np.unique(np.concatenate([inner[(inner > first) & (inner < last)], [first, last]]))


def _hats(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(places, nodes) weights of linear interpolation; beyond the ends the outer pieces go on."""
    i = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
    part = (at - nodes[i]) / (nodes[i + 1] - nodes[i])
    weights = np.zeros((len(at), len(nodes)))
    here = np.arange(len(at))
    weights[here, i], weights[here, i + 1] = 1 - part, part
    return weights
