"""Real data, and small files in the layouts of the real sets."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from tests.conftest import REPO


@pytest.fixture(scope="session")
def shared_data():
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data here: {folder} is missing")
    return folder


def picture(seed: int, side: int = 64) -> np.ndarray:
    """A smooth picture (y, x, 3), which JPEG keeps nearly as it is."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))


def jpeg(pixels: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=95)
    return data.getvalue()


def zip_of(folder: Path, path: Path, compression: int) -> Path:
    """The folder's files in a zip file, under the folder's own name."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def write_raster(path: Path, pixels: np.ndarray) -> None:
    """A GeoTIFF of pixels (bands, y, x)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=bands,
        dtype=pixels.dtype,
        crs="EPSG:32633",
        transform=from_origin(300_000, 5_400_000, 10, 10),
    ) as file:
        file.write(pixels)
