"""Descriptors as one GeoParquet file, with a STAC collection that says what is in it beside it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from jepa_core import atomic
from jepa_core.described_scenes import SceneContent, described_scenes
from jepa_core.errors import JepaError
from jepa_core.export.collection import Coverage, Origin, collection_of
from jepa_core.export.columns import schema_of, vector_column
from jepa_core.export.footprints import footprints
from jepa_core.patch_store import read_manifest, stored_grid
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.vectors import Purpose

_ROWS = 4096
"""Of a row group; rows of small scenes are gathered until there are as many."""

_REPEATING = ["scene_id", "cell_id", "sensor", "split", "labels.list.element", "model", "model_fingerprint"]
"""Columns stored as dictionaries; values of the others do not repeat."""


class ExportError(JepaError):
    """Descriptors that cannot be exported, or a place where they cannot go."""


@dataclass(frozen=True)
class ExportSummary:
    """What was exported."""

    patches: int
    """Rows of the file."""

    scenes: int
    """Scenes that they are of."""

    collection: Path
    """The STAC collection beside the file."""


def export_descriptors(store: Store, variant: str, model_fingerprint: str, sensor: Sensor, path: Path) -> ExportSummary:
    """Writes a sensor's descriptors by one model, with what is known of the patches, atomically.

    GeoParquet 1.1.0 (geometry as WKB in OGC:CRS84, with a covering). Memory holds a scene and a row group.

    Args:
        store: the data root.
        variant: name of the method.
        model_fingerprint: of the model that made the descriptors.
        sensor: the sensor.
        path: takes the file; a STAC collection of its name, but ending on `.collection.json`, comes beside it.

    Raises:
        NotMaterializedError: there is no patch, or a scene has no descriptors; the message names the command.
        DescriptorError: descriptors are broken or of another model.
        ExportError: the file's name does not end on `.parquet`, or scenes differ in their kinds of vectors.
    """
    if path.suffix != ".parquet" or path.is_dir():
        raise ExportError(f"a file whose name ends on .parquet is needed, not {path}")
    scenes = described_scenes(store, variant, model_fingerprint, sensor)
    dimensions = _dimensions(scenes[0].read())
    schema = schema_of(dimensions)
    origin = Origin(variant, model_fingerprint, sensor, tuple(sorted(set(read_manifest(store, sensor)["level"]))))
    coverage = Coverage()
    with (
        atomic.new_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=_REPEATING) as writer,
    ):
        contents = (scene.read() for scene in track(scenes, "Exporting", unit="scene"))
        for table in _gathered(_table(content, origin, schema, coverage) for content in contents):
            writer.write_table(table, row_group_size=_ROWS)
        collection = collection_of(path.name, origin, stored_grid(store, sensor), dimensions, coverage)
        # Known at the end only: where all patches lie. A copy of the collection, so that the file alone says it too.
        writer.add_key_value_metadata({"geo": json.dumps(_geo(coverage)), "stac:collection": json.dumps(collection)})
    beside = path.with_suffix(".collection.json")
    atomic.write_json(beside, collection)
    return ExportSummary(coverage.patches, len(scenes), beside)


def _dimensions(content: SceneContent) -> dict[Purpose, int]:
    return {kind: vectors.shape[1] for kind, vectors in content.vectors.items()}


def _table(content: SceneContent, origin: Origin, schema: pa.Schema, coverage: Coverage) -> pa.Table:
    rows, shapes = content.patches, footprints(content.patches)
    scene = rows["scene_id"].iloc[0]
    if schema_of(_dimensions(content)) != schema:
        raise ExportError(
            f"the descriptors of {scene} have other kinds or dimensions than those of the scenes before; delete the "
            f"folder of the descriptors. Then: dagster asset materialize --select {origin.variant}_descriptors"
        )
    coverage.add(shapes, rows["time"])
    west, south, east, north = shapely.bounds(shapes).T
    columns: dict[str, pa.Array] = {
        "id": pa.array(content.ids),
        "datetime": pa.array(rows["time"].dt.tz_convert(None).to_numpy(), pa.timestamp("us", "UTC")),
        "geometry": pa.array(shapely.to_wkb(shapes), pa.binary()),
        # Of a patch across 180° it is as wide as the map: readers compare bounds as they are.
        "bbox": pa.StructArray.from_arrays(
            [pa.array(bound) for bound in (west, south, east, north)], ["xmin", "ymin", "xmax", "ymax"]
        ),
        "labels": pa.array([[str(label) for label in labels] for labels in rows["labels"]], pa.list_(pa.string())),
        "model": pa.array([origin.variant] * len(rows)),
        "model_fingerprint": pa.array([origin.model_fingerprint] * len(rows)),
    }
    for kind, vectors in content.vectors.items():
        # As they are stored: geopandas, DuckDB (which widens them) and lancedb read half precision.
        half = pa.array(vectors.astype(np.float16).ravel())
        columns[vector_column(kind)] = pa.FixedSizeListArray.from_arrays(half, vectors.shape[1])
    for name in schema.names:
        if name not in columns:
            columns[name] = pa.array(rows[name], schema.field(name).type, from_pandas=True)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    pending: list[pa.Table] = []
    for table in tables:
        pending.append(table)
        if sum(map(len, pending)) >= _ROWS:
            yield pa.concat_tables(pending)
            pending = []
    if pending:
        yield pa.concat_tables(pending)


def _geo(coverage: Coverage) -> Mapping[str, object]:
    bounds = ("xmin", "ymin", "xmax", "ymax")
    return {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": sorted(coverage.geometry_types),
                "orientation": "counterclockwise",
                "edges": "planar",
                "bbox": coverage.bbox,
                "covering": {"bbox": {bound: ["bbox", bound] for bound in bounds}},
            }
        },
    }
