"""Items of SpatioTemporal Asset Catalogs: parts that all dialects share, and the step from STAC 1.0 to 1.1."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from jepa_core.testing.place import PixelGrid

Json = dict[str, Any]

COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
"""Media type of rasters."""

_EXTENSIONS = "https://stac-extensions.github.io"


def item(identity: str, collection: str, grid: PixelGrid, properties: Json, assets: Json) -> Json:
    """An item of STAC 1.0.

    Args:
        identity: its id.
        collection: id of its collection.
        grid: what it covers.
        properties: its fields; `proj:epsg` is added.
        assets: by key.
    """
    corners = grid.lonlat_corners()
    longitudes, latitudes = zip(*corners, strict=True)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": identity,
        "properties": {"proj:epsg": grid.epsg, **properties},
        "geometry": {"type": "Polygon", "coordinates": [[list(corner) for corner in [*corners, corners[0]]]]},
        "links": [],
        "assets": assets,
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "stac_extensions": [
            f"{_EXTENSIONS}/{name}/schema.json" for name in ("raster/v1.1.0", "projection/v1.1.0", "eo/v1.1.0")
        ],
        "collection": collection,
    }


def position(grid: PixelGrid) -> Json:
    """`proj:shape` and `proj:transform` of a raster."""
    transform = [grid.resolution_m, 0.0, grid.left, 0.0, -grid.resolution_m, grid.top]
    return {
        "proj:shape": [grid.height, grid.width],
        "proj:transform": [int(v) if v == int(v) else v for v in transform],
    }


def utc(time: datetime) -> str:
    """Time as items hold it: `2023-08-15T09:57:57.246000Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_item(folder: Path, content: Json, stac_version: str) -> Path:
    """Writes `<folder>/<id>.json` in the wanted version of STAC.

    Raises:
        ValueError: neither 1.0.0 nor 1.1.0.
    """
    if stac_version not in ("1.0.0", "1.1.0"):
        raise ValueError(f"STAC {stac_version} is not written here")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{content['id']}.json"
    path.write_text(json.dumps(content if stac_version == "1.0.0" else _as_1_1(content), indent=2) + "\n")
    return path


def _as_1_1(content: Json) -> Json:
    """The item with `bands` in place of `eo:bands` and `raster:bands`, and `proj:code` in place of `proj:epsg`."""
    properties = dict(content["properties"])
    code = f"EPSG:{properties.pop('proj:epsg')}"
    return content | {
        "stac_version": "1.1.0",
        "properties": {"proj:code": code, **properties},
        "assets": {key: _asset_1_1(asset) for key, asset in content["assets"].items()},
        "stac_extensions": [
            f"{_EXTENSIONS}/{name}/schema.json" for name in ("raster/v2.0.0", "projection/v2.0.0", "eo/v2.0.0")
        ],
    }


def _asset_1_1(asset: Json) -> Json:
    out = dict(asset)
    (raster,) = out.pop("raster:bands", [{}])
    if "eo:bands" in out:
        prefixed = ("common_name", "center_wavelength", "full_width_half_max")
        out["bands"] = [
            {f"eo:{key}" if key in prefixed else key: value for key, value in band.items()}
            for band in out.pop("eo:bands")
        ]
    # One band: its fields stand at the asset, those of STAC itself without a prefix.
    plain = ("nodata", "data_type", "unit")
    return out | {key if key in plain else f"raster:{key}": value for key, value in raster.items()}
