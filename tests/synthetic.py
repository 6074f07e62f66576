"""Small archives in the layout of BigEarthNet v1, made of given or random pixels."""

import json
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_bounds

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import Scene
from jepa_core.grid import Cell
from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor

S1_SCENE = "S1A_IW_GRDH_1SDV_20170613T165043"
S2_SCENE = "S2A_MSIL2A_20170613T101031"


def cell(column: int, row: int = 0) -> Cell:
    """A cell of 1,200 m in UTM zone 33."""
    xmin, ymax = 300_000.0 + 1200 * column, 5_400_000.0 - 1200 * row
    return Cell(32633, xmin, ymax - 1200, xmin + 1200, ymax)


def random_bands(sensor: Sensor, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Speckle in dB, or digital numbers at each band's own resolution."""
    bands = {}
    for band in sensor.bands:
        side = int(1200 / band.resolution_m)
        if sensor is SENTINEL1:
            bands[band.name] = rng.normal(-12, 4, (side, side)).astype("float32")
        else:
            bands[band.name] = rng.integers(1, 4000, (side, side)).astype("uint16")
    return bands


def write_patch(
    root: Path,
    sensor: Sensor,
    name: str,
    place: Cell,
    bands: dict[str, np.ndarray],
    labels: tuple[str, ...] = ("Pastures",),
    partner: str = "",
) -> Path:
    """Writes one patch folder and gives its path."""
    folder = root / f"BigEarthNet-{sensor.short.upper()}" / name
    folder.mkdir(parents=True, exist_ok=True)
    for band, pixels in bands.items():
        height, width = pixels.shape
        with rasterio.open(
            folder / f"{name}_{band}.tif",
            "w",
            driver="GTiff",
            width=width,
            height=height,
            count=1,
            dtype=pixels.dtype,
            crs=f"EPSG:{place.epsg}",
            transform=from_bounds(place.xmin, place.ymin, place.xmax, place.ymax, width, height),
        ) as file:
            file.write(pixels, 1)
    corner = {"ulx": place.xmin, "uly": place.ymax, "lrx": place.xmax}
    metadata = {"labels": list(labels), "projection": CRS.from_epsg(place.epsg).to_wkt()}
    if sensor is SENTINEL1:
        metadata |= {
            "coordinates": corner | {"lly": place.ymin},
            "scene_source": S1_SCENE,
            "acquisition_time": "2017-06-13T16:50:43",
            "corresponding_s2_patch": partner,
        }
    else:
        metadata |= {
            "coordinates": corner | {"lry": place.ymin},
            "tile_source": f"{S2_SCENE}.SAFE",
            "acquisition_date": "2017-06-13 10:10:31",
        }
    (folder / f"{name}_labels_metadata.json").write_text(json.dumps(metadata))
    return folder


def write_pairs(root: Path, count: int, seed: int = 0) -> None:
    """Pairs of random pixels in a row of cells, a scene a sensor for each three; `train`, `val`, `test` by turns."""
    rng = np.random.default_rng(seed)
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for i in range(count):
        # A product a day, which three patches are cut from.
        day = f"201706{13 + i // 3:02d}"
        s1, s2 = (f"{name.replace('20170613', day)}_{i}_0" for name in (f"{S1_SCENE}_33UUP", S2_SCENE))
        # Within a split labels differ, or every ranking would be as good as any other.
        labels = (("Pastures", "Sea and ocean", "Mixed forest")[i // 3 % 3], "Water bodies")
        write_patch(
            root,
            SENTINEL1,
            s1,
            cell(i),
            random_bands(SENTINEL1, rng),
            labels,
            s2,
        )
        write_patch(
            root,
            SENTINEL2,
            s2,
            cell(i),
            random_bands(SENTINEL2, rng),
            labels,
        )
        splits[("train", "val", "test")[i % 3]].append(s2)
    for split, names in splits.items():
        (root / f"{split}.csv").write_text("\n".join(names))


def scenes_of(root: Path, sensor: Sensor) -> list[Scene]:
    """All scenes of an archive, read."""
    return [source.read() for source in Archive(root).sources(sensor)]
