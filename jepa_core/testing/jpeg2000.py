"""Sentinel-2 images as JPEG 2000, without loss."""

from pathlib import Path
from typing import Any

import numpy.typing as npt
import rasterio

from jepa_core.testing.place import PixelGrid

_TILE = {10: 1024, 20: 640, 60: 192}
"""Tile of the code stream by pixel size, as in ESA's images."""


def write_jpeg2000(path: Path, pixels: npt.NDArray[Any], grid: PixelGrid, bits: int) -> None:
    """Writes an image.

    Args:
        path: ends with `.jp2`.
        pixels: `(height, width)`, or `(bands, height, width)`.
        grid: where it lies.
        bits: that each value takes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = pixels if pixels.ndim == 3 else pixels[None]
    tile = min(_TILE[int(grid.resolution_m)], grid.width, grid.height)
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        width=grid.width,
        height=grid.height,
        count=len(bands),
        dtype=bands.dtype,
        crs=f"EPSG:{grid.epsg}",
        transform=grid.transform,
        QUALITY="100",
        REVERSIBLE="YES",
        YCBCR420="NO",
        NBITS=str(bits),
        BLOCKXSIZE=str(tile),
        BLOCKYSIZE=str(tile),
    ) as file:
        file.write(bands)
