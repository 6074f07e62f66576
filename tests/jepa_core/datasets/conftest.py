"""Real data, and small files in the layouts of the real sets."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    import zipfile

    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path
