"""What an export holds, as a STAC collection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pystac
import shapely

from jepa_core.export.columns import described_columns
from jepa_core.fingerprint import short
from jepa_core.grid import Grid
from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor
from jepa_core.vectors import Purpose

_EMBEDDINGS = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"
"""Draft (maturity: proposal)."""

_TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"

_MISSIONS = {
    SENTINEL1.name: "https://sentiwiki.copernicus.eu/web/s1-mission",
    SENTINEL2.name: "https://sentiwiki.copernicus.eu/web/s2-mission",
}
"""What the source data are; the archive itself is the user's own and has no address."""

_QUANTIZATION = {"method": "cast", "original_dtype": "float32", "quantized_dtype": "float16"}
"""Rounded to the nearest half-precision number, without scale or offset."""


@dataclass(frozen=True)
class Origin:
    """Where descriptors come from."""

    variant: str
    """Name of the method."""

    model_fingerprint: str
    """Of the model that made them."""

    sensor: Sensor
    """Of the patches."""

    levels: tuple[str, ...]
    """Processing levels of their scenes."""


@dataclass
class Coverage:
    """Where and when the patches lie that went through; grows with them."""

    patches: int = 0
    """Their number."""

    bbox: list[float] = field(default_factory=lambda: [np.inf, np.inf, -np.inf, -np.inf])
    """West, south, east, north, degrees."""

    start: datetime | None = None
    """First acquisition."""

    end: datetime | None = None
    """Last acquisition."""

    geometry_types: set[str] = field(default_factory=set)
    """Of the footprints."""

    def add(self, shapes: np.ndarray, times: pd.Series) -> None:
        """Takes in footprints and times of patches."""
        west, south, east, north = shapely.total_bounds(shapes).tolist()
        known = self.bbox
        self.bbox = [min(known[0], west), min(known[1], south), max(known[2], east), max(known[3], north)]
        first, last = times.min().to_pydatetime(), times.max().to_pydatetime()
        self.start = first if self.start is None else min(self.start, first)
        self.end = last if self.end is None else max(self.end, last)
        self.geometry_types |= {shape.geom_type for shape in shapes}
        self.patches += len(shapes)


def collection_of(
    file_name: str, origin: Origin, grid: Grid, dimensions: Mapping[Purpose, int], coverage: Coverage
) -> dict[str, Any]:
    """The collection's JSON; its asset `embeddings` is the file.

    Args:
        file_name: of the export, which lies beside the collection.
        origin: where the descriptors come from.
        grid: cells that the patches cover.
        dimensions: of the vectors, by kind.
        coverage: of all patches.
    """
    sensor = origin.sensor
    collection = pystac.Collection(
        id=f"{origin.variant}-{short(origin.model_fingerprint)}-{sensor.name}",
        title=f"{origin.variant} descriptors of {sensor.name} patches",
        description=(
            f"{coverage.patches} patches of {sensor.name} and their descriptors by a model of the method "
            f"{origin.variant}, one row a patch. Descriptors are unit vectors, compared by their cosine, and only "
            "with those of the same model fingerprint."
        ),
        extent=pystac.Extent(
            pystac.SpatialExtent([coverage.bbox]), pystac.TemporalExtent([[coverage.start, coverage.end]])
        ),
        license="other",
        stac_extensions=[_EMBEDDINGS, _TABLE],
        extra_fields={
            "emb:type": "chip",
            "emb:dimensions": max(dimensions.values()),
            "data_type": "float16",
            "gsd": grid.resolution_m,
            "emb:chip_layout": {
                "layout_type": "regular_grid",
                "chip_size": [grid.patch_pixels] * 2,
                "stride": [grid.stride_pixels] * 2,
                "grid_id": f"utm-{grid.resolution_m:g}m-{grid.stride_pixels}px",
            },
            "emb:temporal_resolution": "single_acquisition",
            "emb:fit_for_use": ["retrieval"],
            "emb:quantization": _QUANTIZATION,
            "jepa:model_fingerprint": origin.model_fingerprint,
        },
    )
    model = f"urn:jepa:{origin.variant}:{origin.model_fingerprint}"
    levels = ", ".join(origin.levels)
    collection.add_links(
        [
            pystac.Link("emb:model", model, title=f"{origin.variant}, by the fingerprint of the trained model"),
            pystac.Link("emb:source-data", _MISSIONS[sensor.name], title=f"{sensor.name} {levels}".strip()),
        ]
    )
    collection.add_asset(
        "embeddings",
        pystac.Asset(
            f"./{file_name}",
            title="One row a patch",
            media_type=pystac.MediaType.PARQUET,
            roles=["data"],
            extra_fields={
                "table:primary_geometry": "geometry",
                "table:row_count": coverage.patches,
                "table:columns": described_columns(dimensions),
            },
        ),
    )
    return collection.to_dict(include_self_link=False, transform_hrefs=False)
