"""What an index knows of its patches beside their vectors: a table in columns, memory-mapped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from rasterio.warp import transform

from jepa_core.index.filters import Filter
from jepa_core.index.ids import vector_id

_LEAST_METRES_A_DEGREE = 100_000
"""Less than any degree of latitude has."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SCHEMA = pa.schema(
    [
        ("patch_id", pa.string()),
        ("cell_id", pa.string()),
        ("time", pa.int64()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("crs", pa.dictionary(pa.int32(), pa.string())),
        ("xmin", pa.float64()),
        ("ymin", pa.float64()),
        ("xmax", pa.float64()),
        ("ymax", pa.float64()),
        ("cloud_fraction", pa.float32()),
        ("valid_fraction", pa.float32()),
        # The set of labels as one text: sets are few, and a filter looks at each set once.
        ("labels", pa.dictionary(pa.int32(), pa.string())),
        ("sorted_ids", pa.int64()),
        ("sorted_rows", pa.int32()),
    ]
)

COLUMNS = (
    "patch_id", "cell_id", "time", "crs", "xmin", "ymin", "xmax", "ymax", "lon", "lat",
    "valid_fraction", "cloud_fraction", "labels",
)  # fmt: skip
"""Columns of the patch table (schema `tables.PATCHES`) that an index keeps."""


@dataclass(frozen=True)
class Patch:
    """A patch as the index knows it."""

    patch_id: str
    """Its id."""

    scene_id: str
    """Of its scene."""

    cell_id: str
    """Of the square on the ground that it shows."""

    time: datetime
    """Of its acquisition, UTC."""

    lon: float
    """Longitude of its centre, degrees."""

    lat: float
    """Latitude of its centre, degrees."""

    labels: tuple[str, ...]
    """Its classes, where it has any."""


class Rows:
    """The table of a segment's patches."""

    def __init__(self, table: pa.Table) -> None:
        """Keeps the table, whose columns are in one piece each."""
        self.table = table
        self._texts = {name: table[name].chunk(0) for name in ("patch_id", "cell_id")}
        self._values: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def values(self, column: str) -> np.ndarray:
        """A column of numbers without missing ones, not copied."""
        if column not in self._values:
            self._values[column] = np.asarray(self.table[column].chunk(0).to_numpy(zero_copy_only=True))
        return self._values[column]

    @cached_property
    def cloud(self) -> np.ndarray:
        """Cloud fractions, NaN where not known."""
        return np.asarray(self.table["cloud_fraction"].chunk(0).to_numpy(zero_copy_only=False))

    @cached_property
    def label_sets(self) -> list[tuple[str, ...]]:
        """The sets of labels that there are."""
        return [tuple(json.loads(text)) for text in self.table["labels"].chunk(0).dictionary.to_pylist()]

    @cached_property
    def values_of_labels(self) -> np.ndarray:
        """Which of `label_sets` each row has."""
        return np.asarray(self.table["labels"].chunk(0).indices.to_numpy(zero_copy_only=True))

    def texts(self, column: str, rows: Sequence[int]) -> list[str]:
        """Some values of a column of text."""
        # For the few that a search finds, faster than taking them together.
        held = self._texts[column]
        return [held[row].as_py() for row in rows]

    def row_of(self, patch_id: str) -> list[int]:
        """Rows of a patch; more than one where it was withdrawn and added again."""
        wanted = vector_id(patch_id)
        ids = self.values("sorted_ids")
        first, last = np.searchsorted(ids, wanted, "left"), np.searchsorted(ids, wanted, "right")
        rows = self.values("sorted_rows")[first:last].tolist()
        return [row for row in rows if self.texts("patch_id", [row]) == [patch_id]]

    def holding(self, ids: np.ndarray) -> np.ndarray:
        """Rows of those of some ids that are here."""
        mine = self.values("sorted_ids")
        at = np.searchsorted(mine, ids, "left")
        # An id may be here twice, in a withdrawn scene and in its replacement.
        ends = np.searchsorted(mine, ids, "right")
        found = [self.values("sorted_rows")[a:b] for a, b in zip(at, ends, strict=True) if b > a]
        return np.concatenate(found) if found else np.empty(0, np.int32)

    def patches(self, rows: Sequence[int], scenes: Sequence[str]) -> list[Patch]:
        """Some rows as records.

        Args:
            rows: their positions.
            scenes: scene id of each.
        """
        times, lons, lats = (self.values(name)[rows].tolist() for name in ("time", "lon", "lat"))
        names, cells = self.texts("patch_id", rows), self.texts("cell_id", rows)
        sets = self.values_of_labels[rows].tolist()
        return [
            Patch(
                patch_id=names[i],
                scene_id=scene,
                cell_id=cells[i],
                time=_EPOCH + timedelta(microseconds=times[i]),
                lon=lons[i],
                lat=lats[i],
                labels=self.label_sets[sets[i]],
            )
            for i, scene in enumerate(scenes)
        ]

    def covering(self, lon: float, lat: float) -> np.ndarray:
        """Which rows show a point, in degrees; (rows,) of bool."""
        shown = np.zeros(len(self), bool)
        # Only what is near is looked at: far from its zone a projection has no answer.
        reach = (self.values("xmax") - self.values("xmin")) / _LEAST_METRES_A_DEGREE
        east = (self.values("lon") - lon + 180) % 360 - 180
        near = np.abs(self.values("lat") - lat) <= reach
        near &= np.abs(east) * np.cos(np.radians(lat)) <= reach
        column = self.table["crs"].chunk(0)
        zones = column.indices.to_numpy(zero_copy_only=True)
        for zone in np.unique(zones[near]):
            (x,), (y,) = transform("EPSG:4326", column.dictionary[int(zone)].as_py(), [lon], [lat])
            rows = np.flatnonzero(near & (zones == zone))
            inside = (self.values("xmin")[rows] <= x) & (x < self.values("xmax")[rows])
            shown[rows] = inside & (self.values("ymin")[rows] < y) & (y <= self.values("ymax")[rows])
        return shown

    def passing(self, where: Filter) -> np.ndarray:
        """Which rows meet a filter's conditions, its scenes apart; (rows,) of bool."""
        kept = np.ones(len(self), bool)
        if where.bbox is not None:
            west, south, east, north = where.bbox
            lon, lat = self.values("lon"), self.values("lat")
            within = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
            kept &= within & (lat >= south) & (lat <= north)
        if where.start is not None:
            kept &= self.values("time") >= microseconds(where.start)
        if where.end is not None:
            kept &= self.values("time") < microseconds(where.end)
        if where.max_cloud is not None:
            # Where it is not known the comparison is false: the patch passes.
            kept &= ~(self.cloud > np.float32(where.max_cloud))
        if where.min_valid is not None:
            kept &= self.values("valid_fraction") >= np.float32(where.min_valid)
        if where.labels:
            has_one = [not set(where.labels).isdisjoint(labels) for labels in self.label_sets]
            kept &= np.array(has_one, bool)[self.values_of_labels]
        if where.area is not None:
            # The dearest last, and only where it can matter.
            west, south, east, north = where.area.bounds
            lon, lat = self.values("lon"), self.values("lat")
            near = np.flatnonzero(kept & (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))
            # Of its own: what is prepared must not be shared by threads, and shards are searched in threads.
            area = shapely.from_wkb(shapely.to_wkb(where.area))
            shapely.prepare(area)
            kept = np.zeros(len(self), bool)
            kept[near] = shapely.intersects_xy(area, lon[near], lat[near])
        return kept


def microseconds(moment: datetime) -> int:
    """Since 1970, as the time column holds it."""
    return int(pd.Timestamp(moment).value // 1000)


def rows_of(patches: pd.DataFrame) -> pa.Table:
    """The index's columns of a patch table (`COLUMNS`), in its order, without the sorted ids."""
    columns = {
        "time": patches["time"].dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy(),
        "labels": [json.dumps([str(label) for label in labels]) for labels in patches["labels"]],
    }
    fields = [field for field in _SCHEMA if not field.name.startswith("sorted_")]
    arrays = [_array(columns.get(field.name, patches[field.name]), field.type) for field in fields]
    return pa.table(arrays, schema=pa.schema(fields))


def _array(values: object, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(list(values), pa.string()).dictionary_encode()  # type: ignore[call-overload]
    return pa.array(values, kind, from_pandas=True)


def write_rows(table: pa.Table, path: Path) -> None:
    """Writes a table of `rows_of` in one piece, so that it can be mapped as it lies."""
    table = table.unify_dictionaries().combine_chunks()
    ids = np.fromiter((vector_id(name) for name in table["patch_id"].to_pylist()), np.int64, table.num_rows)
    order = np.argsort(ids, kind="stable")
    table = table.append_column("sorted_ids", pa.array(ids[order]))
    table = table.append_column("sorted_rows", pa.array(order.astype(np.int32)))
    with pa.ipc.new_file(str(path), _SCHEMA) as file:
        file.write_table(table.cast(_SCHEMA), max_chunksize=max(1, table.num_rows))


def open_rows(path: Path) -> Rows:
    """Maps the table into memory; nothing is read yet."""
    return Rows(pa.ipc.open_file(pa.memory_map(str(path))).read_all())
