"""Cloud-optimised GeoTIFFs."""

from pathlib import Path
from typing import Any

import numpy.typing as npt
import rasterio

from jepa_core.testing.place import PixelGrid


def write_cog(path: Path, pixels: npt.NDArray[Any], grid: PixelGrid, nodata: float | None) -> None:
    """Writes one band, with its overviews.

    Args:
        path: of the file; folders above it are made.
        pixels: `(height, width)`.
        grid: where it lies.
        nodata: value that its tag names; None: no tag.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="COG",
        width=grid.width,
        height=grid.height,
        count=1,
        dtype=pixels.dtype,
        crs=f"EPSG:{grid.epsg}",
        transform=grid.transform,
        nodata=nodata,
        COMPRESS="DEFLATE",
        BLOCKSIZE="512",
        OVERVIEW_RESAMPLING="AVERAGE",
    ) as file:
        file.write(pixels, 1)
