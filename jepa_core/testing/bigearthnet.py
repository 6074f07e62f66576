"""BigEarthNet v2 (reBEN) as distributed on Zenodo (record 10891137): GeoTIFF patches and one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio

from jepa_core.testing.land_cover import CLASSES, POLARISATIONS
from jepa_core.testing.place import PixelGrid
from jepa_core.testing.sentinel2_pixels import NATIVE_M, digital_numbers
from jepa_core.testing.sentinel2_product import compact
from jepa_core.testing.world import MixedGround, World

_LABELS = dict(
    zip(
        CLASSES,
        ("Inland waters", "Mixed forest", "Arable land", "Urban fabric", "Beaches, dunes, sands"),
        strict=True,
    )
)
"""Name in the 19 classes of BigEarthNet for each class of the world."""

_PATCH_M = 1_200.0
_LEAST_SHARE = 0.05
"""Of a patch's ground, for a class to be among its labels."""


@dataclass(frozen=True)
class PatchPair:
    """One place of the set, seen by both sensors."""

    column: int
    """From the tile's west edge, patches."""

    row: int
    """From its north edge, patches."""

    split: str = "train"
    """`train`, `validation` or `test`."""


def write_bigearthnet(
    root: Path,
    world: World,
    pairs: Sequence[PatchPair],
    *,
    tile: str = "33UUP",
    epsg: int = 32633,
    left: float = 300_000.0,
    top: float = 5_400_000.0,
    time_s2: datetime,
    time_s1: datetime,
    relative_orbit: int = 22,
    platform_s2: str = "S2A",
    platform_s1: str = "S1A",
    country: str = "Austria",
) -> Path:
    """Writes pairs of one Sentinel-2 tile: point samples of the world at pixel centres; call again for more tiles.

    Args:
        root: folder that gets `BigEarthNet-S1/`, `BigEarthNet-S2/` and `metadata.parquet`, to which rows are added.
        world: what is seen.
        pairs: places.
        tile: MGRS name.
        epsg: code of its UTM zone.
        left: west edge of the tile, metres.
        top: north edge of the tile, metres.
        time_s2: start of the datatake, UTC.
        time_s1: of the first line, UTC.
        relative_orbit: of Sentinel-2.
        platform_s2: `S2A` or `S2B`.
        platform_s1: `S1A` or `S1B`.
        country: of all patches.

    Returns:
        The table.
    """
    scene_s2 = f"{platform_s2}_MSIL2A_{compact(time_s2)}_N9999_R{relative_orbit:03d}_T{tile}"
    scene_s1 = f"{platform_s1}_IW_GRDH_1SDV_{compact(time_s1)}"
    rows = []
    for pair in pairs:
        place = f"{pair.column:02d}_{pair.row:02d}"
        corner = left + pair.column * _PATCH_M, top - pair.row * _PATCH_M
        name_s2, name_s1 = f"{scene_s2}_{place}", f"{scene_s1}_{tile}_{pair.column}_{pair.row}"
        _write_sentinel2(root / "BigEarthNet-S2" / scene_s2 / name_s2, world, epsg, corner)
        _write_sentinel1(root / "BigEarthNet-S1" / scene_s1 / name_s1, world, epsg, corner)
        rows.append(
            {
                "patch_id": name_s2,
                "labels": _labels(world, epsg, corner),
                "split": pair.split,
                "country": country,
                "s1_name": name_s1,
                "s2v1_name": f"{platform_s2}_MSIL2A_{compact(time_s2)}_{pair.column}_{pair.row}",
                "contains_seasonal_snow": False,
                "contains_cloud_or_shadow": False,
            }
        )
    path = root / "metadata.parquet"
    table = pd.DataFrame(rows)
    if path.exists():
        table = pd.concat([pd.read_parquet(path), table], ignore_index=True)
    table.to_parquet(path, index=False)
    return path


def _write_sentinel2(folder: Path, world: World, epsg: int, corner: tuple[float, float]) -> None:
    for band, resolution in NATIVE_M.items():
        if band != "B10":
            grid = PixelGrid.square(epsg, *corner, _PATCH_M, resolution)
            pixels = digital_numbers(world.reflectance(band, *grid.centres(), epsg), offset_dn=0)
            _write_patch(folder, band, pixels, grid)


def _write_sentinel1(folder: Path, world: World, epsg: int, corner: tuple[float, float]) -> None:
    grid = PixelGrid.square(epsg, *corner, _PATCH_M, 10)
    ground = world.ground(*grid.centres(), epsg)
    for polarisation in POLARISATIONS:
        _write_patch(folder, polarisation, (10 * np.log10(ground.sigma0(polarisation))).astype(np.float32), grid)


def _write_patch(folder: Path, band: str, pixels: npt.NDArray[Any], grid: PixelGrid) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        folder / f"{folder.name}_{band}.tif",
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=1,
        dtype=pixels.dtype,
        crs=f"EPSG:{grid.epsg}",
        transform=grid.transform,
    ) as file:
        file.write(pixels, 1)


def _labels(world: World, epsg: int, corner: tuple[float, float]) -> list[str]:
    """Classes that take a fair share of a patch; arable land in worlds without classes."""
    ground = world.ground(*PixelGrid.square(epsg, *corner, _PATCH_M, 20).centres(), epsg)
    if not isinstance(ground, MixedGround):
        return [_LABELS["crops"]]
    shares = ground.fractions.mean(axis=(0, 1))
    return [_LABELS[name] for name, share in zip(CLASSES, shares, strict=True) if share >= _LEAST_SHARE]
