"""The sample archive: 60 real pairs of BigEarthNet patches, in the folder layout of BigEarthNet v1.

They come from two wheels that carry them as examples and test data:

- `bigearthnet-common`: 6 pairs as GeoTIFFs, copied byte for byte, labelled with CORINE's classes.
- `configilm`: 30 pairs of BigEarthNet v1 and 24 of v2, in LMDB files, labelled with the 19 classes and split
  18 / 18 / 18 into train, val and test. They have no georeference; it is that of the tile, row and column in
  their names (`sentinel2_tile_corner`, checked against the six GeoTIFFs).

The six GeoTIFF pairs are in no split of the others' and join `train`.
"""

import bz2
import csv
import json
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pandas as pd

from jepa_core import atomic
from jepa_core.archive.inert_pickle import read_records
from jepa_core.archive.wheels import PinnedWheel, fetch
from jepa_core.grid import Cell, sentinel2_tile_corner
from jepa_core.progress import track
from jepa_core.store import Store
from jepa_core.tables import records as rows

COMMON = PinnedWheel(
    requirement="bigearthnet-common==2.8.0",
    file_name="bigearthnet_common-2.8.0-py3-none-any.whl",
    sha256="6c2bcf2b1d39a3f48925b0d941557152f9e523576fbb9d2b881a842ed92fd6af",
    megabytes=6.8,
)
CONFIGILM = PinnedWheel(
    requirement="configilm==0.7.1",
    file_name="configilm-0.7.1-py3-none-any.whl",
    sha256="54e8c2424c55bb4e68dfda07593e155e9ecfa6c60b50585c4b378076934cf5e3",
    megabytes=55.3,
)

ATTRIBUTION = """\
Sample of BigEarthNet: 60 pairs of Sentinel-1 and Sentinel-2 patches.

Contains modified Copernicus Sentinel data (2017-2018), processed by the European Space Agency.
BigEarthNet is distributed under the Community Data License Agreement - Permissive, version 1.0.
Cite: G. Sumbul et al., BigEarthNet-MM: A Large Scale Multi-Modal Multi-Label Benchmark Archive for Remote
Sensing Image Classification and Retrieval, IEEE Geoscience and Remote Sensing Magazine 9(3), 2021; and
K. N. Clasen et al., reBEN: Refined BigEarthNet Dataset for Remote Sensing Image Analysis, 2024 (the v2 pairs).
Taken from the wheels bigearthnet-common 2.8.0 (Apache-2.0) and configilm 0.7.1 (MIT), which carry the patches
as examples and test data.
The georeference of 54 pairs is derived from the tile, row and column in their names; their `tile_source` and
`scene_source` hold the datatake's name, not the whole product name, which the wheels do not carry.
"""

_RECORD_MODULES = tuple(f"bigearthnet_patch_interface.{part}_interface" for part in ("merged", "s1", "s2", "band"))
_CELL_SIDE_M = 1200
_MOCK_DATA = "configilm/extra/mock_data"
"""Folder of the second wheel that the LMDB files lie in."""


@dataclass(frozen=True)
class _Pair:
    s1_name: str
    s2_name: str
    labels: tuple[str, ...]
    split: str
    bands: dict[str, np.ndarray]
    """By band name; VV and VH in dB, the others as DN at their native resolution."""


def ensure_sample(store: Store) -> Path:
    """Root of the sample archive, built on first use (about 62 MB are fetched, 20 s).

    Raises:
        DownloadError: a wheel could not be had; the message says which and where to put it.
    """
    root = store.sample_archive
    if root.exists():
        return root
    with store.locked("sample-archive", waiting=print):
        if root.exists():
            return root
        common = fetch(COMMON, store.downloads)
        configilm = fetch(CONFIGILM, store.downloads)
        print(ATTRIBUTION)
        with atomic.new_folder(root) as folder:
            _write_sample(folder, common, configilm)
    return root


def _write_sample(folder: Path, common: Path, configilm: Path) -> None:
    names = _copy_geotiff_pairs(common, folder)
    splits = {name: "train" for name in names}
    for pair in track(_lmdb_pairs(common, configilm, folder), "Writing the sample", total=54, unit="pair"):
        _write_pair(pair, folder)
        splits[pair.s2_name] = pair.split
    # As BigEarthNet's own lists: one file a split, one Sentinel-2 name a line.
    for split in ("train", "val", "test"):
        lines = sorted(name for name, of in splits.items() if of == split)
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    (folder / "ATTRIBUTION.txt").write_text(ATTRIBUTION)


def _copy_geotiff_pairs(common: Path, folder: Path) -> list[str]:
    with zipfile.ZipFile(common) as wheel:
        for number in (1, 2):
            member = f"bigearthnet_common/BigEarthNet-S{number}-Example.tar.bz2"
            with wheel.open(member) as file, tarfile.open(fileobj=file, mode="r:bz2") as tar:
                tar.extractall(folder, filter="data")
            (folder / f"BigEarthNet-S{number}-Example").rename(folder / f"BigEarthNet-S{number}")
    return [path.name for path in sorted((folder / "BigEarthNet-S2").iterdir())]


def _lmdb_pairs(common: Path, configilm: Path, folder: Path) -> Iterator[_Pair]:
    with atomic.scratch_folder(folder / "lmdb") as temporary:
        with zipfile.ZipFile(configilm) as wheel:
            members = [name for name in wheel.namelist() if name.startswith(f"{_MOCK_DATA}/BENv")]
            # A zip file, from whose names Python takes off what leads out.
            wheel.extractall(temporary, members)  # noqa: S202
        yield from _v1_pairs(temporary / _MOCK_DATA / "BENv1", _s1_names(common))
        yield from _v2_pairs(temporary / _MOCK_DATA / "BENv2")


def _s1_names(common: Path) -> dict[str, str]:
    """Sentinel-1 patch of each Sentinel-2 patch, for all 590,326 pairs of BigEarthNet v1."""
    with zipfile.ZipFile(common) as wheel:
        data = wheel.read("bigearthnet_common/s1_s2_name_country_season.csv.bz2")
    rows = csv.DictReader(bz2.decompress(data).decode().splitlines())
    return {row["s2_name"]: row["s1_name"] for row in rows}


@contextmanager
def _lmdb_reader(folder: Path) -> Iterator[lmdb.Transaction]:
    with ExitStack() as stack:
        environment = lmdb.open(str(folder), readonly=True, lock=False)
        stack.callback(environment.close)
        yield stack.enter_context(environment.begin())


def _v1_pairs(folder: Path, s1_names: dict[str, str]) -> Iterator[_Pair]:
    with _lmdb_reader(folder / "BigEarthNetEncoded.lmdb") as records:
        for split in ("train", "val", "test"):
            for s2_name in (folder / f"{split}.csv").read_text().split():
                record = read_records(_get(records, s2_name), _RECORD_MODULES)
                bands = [*record.s1_patch.bands, *record.s2_patch.bands]
                yield _Pair(
                    s1_name=s1_names[s2_name],
                    s2_name=s2_name,
                    labels=tuple(record.labels),
                    split=split,
                    bands=dict(_name_and_pixels(band) for band in bands),
                )


def _name_and_pixels(band: Any) -> tuple[str, np.ndarray]:
    # The records were made by pydantic, which keeps an object's fields in a dictionary of this name.
    fields = vars(band)["__dict__"]
    return fields["name"], fields["data"]


def _v2_pairs(folder: Path) -> Iterator[_Pair]:
    from safetensors.numpy import load

    table = pd.concat(
        pd.read_parquet(folder / name)
        for name in ("metadata.parquet", "metadata_for_patches_with_snow_cloud_or_shadow.parquet")
    )
    with _lmdb_reader(folder / "BigEarthNet-V2-LMDB") as records:
        for row in rows(table.sort_values("s2v1_name")):
            yield _Pair(
                s1_name=row["s1_name"],
                s2_name=row["s2v1_name"],
                labels=tuple(row["labels"]),
                split="val" if row["split"] == "validation" else row["split"],
                bands={**load(_get(records, row["s1_name"])), **load(_get(records, row["patch_id"]))},
            )


def _get(records: lmdb.Transaction, name: str) -> bytes:
    found = records.get(name.encode())
    if found is None:
        raise KeyError(f"no record {name!r} in the wheel's LMDB file")
    return bytes(found)


def _cell_of(s1_name: str) -> tuple[str, Cell]:
    """Tile and cell of `S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48`."""
    tile, column, row = s1_name.split("_")[-3:]
    epsg, x, y = sentinel2_tile_corner(tile)
    xmin, ymax = x + int(column) * _CELL_SIDE_M, y - int(row) * _CELL_SIDE_M
    return tile, Cell(epsg, xmin, ymax - _CELL_SIDE_M, xmin + _CELL_SIDE_M, ymax)


def _time_in(stamp: str) -> datetime:
    """Time from `20170613T101031`; leading zeros of the hour may be missing and seconds run past 59."""
    day, clock = stamp.split("T")
    clock = clock.zfill(6)
    passed = timedelta(hours=int(clock[:2]), minutes=int(clock[2:4]), seconds=int(clock[4:]))
    return datetime.strptime(day, "%Y%m%d") + passed


def _write_pair(pair: _Pair, folder: Path) -> None:
    from rasterio.crs import CRS

    tile, cell = _cell_of(pair.s1_name)
    s1_take, s2_take = "_".join(pair.s1_name.split("_")[:5]), "_".join(pair.s2_name.split("_")[:3])
    shared = {"labels": list(pair.labels), "projection": CRS.from_epsg(cell.epsg).to_wkt()}
    corner = {"ulx": cell.xmin, "uly": cell.ymax, "lrx": cell.xmax}
    s1 = {
        **shared,
        "coordinates": {**corner, "lly": cell.ymin},
        "corresponding_s2_patch": pair.s2_name,
        "scene_source": s1_take,
        "acquisition_time": _time_in(s1_take.split("_")[4]).isoformat(),
    }
    s2 = {
        **shared,
        "coordinates": {**corner, "lry": cell.ymin},
        "tile_source": f"{s2_take}_T{tile}",
        "acquisition_date": str(_time_in(s2_take.split("_")[2])),
    }
    is_s1 = ("VV", "VH")
    _write_patch(folder / "BigEarthNet-S1" / pair.s1_name, cell, s1, {n: pair.bands[n] for n in is_s1})
    s2_bands = {name: pixels for name, pixels in pair.bands.items() if name not in is_s1}
    _write_patch(folder / "BigEarthNet-S2" / pair.s2_name, cell, s2, s2_bands)


def _write_patch(folder: Path, cell: Cell, metadata: dict[str, Any], bands: dict[str, np.ndarray]) -> None:
    import rasterio
    from rasterio.transform import from_bounds

    folder.mkdir(parents=True)
    for name, pixels in bands.items():
        height, width = pixels.shape
        with rasterio.open(
            folder / f"{folder.name}_{name}.tif",
            "w",
            driver="GTiff",
            width=width,
            height=height,
            count=1,
            dtype=pixels.dtype,
            crs=f"EPSG:{cell.epsg}",
            transform=from_bounds(cell.xmin, cell.ymin, cell.xmax, cell.ymax, width, height),
        ) as file:
            file.write(pixels, 1)
    (folder / f"{folder.name}_labels_metadata.json").write_text(json.dumps(metadata))
