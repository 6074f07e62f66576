"""Columns of an export, and what they mean."""

from collections.abc import Mapping

import pyarrow as pa

from jepa_core.vectors import Purpose

_BBOX = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])

_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("id", pa.int64(), "The patch's number in every index: 63 bits of a hash of patch_id"),
    ("patch_id", pa.string(), "Name of the patch"),
    ("scene_id", pa.string(), "Name of the scene that it was cut from"),
    ("cell_id", pa.string(), "Square on the ground that it covers; equal for patches of one place"),
    ("sensor", pa.string(), "sentinel1 or sentinel2"),
    ("datetime", pa.timestamp("us", "UTC"), "Of the acquisition"),
    ("geometry", pa.binary(), "Ground that it covers, WKB, longitude and latitude"),
    ("bbox", _BBOX, "Bounds of the geometry"),
    ("cloud_fraction", pa.float64(), "Share of clouds among measured pixels; null where it is not known"),
    ("valid_fraction", pa.float64(), "Share of measured pixels"),
    ("labels", pa.list_(pa.string()), "Classes; empty where there are none"),
    ("split", pa.string(), "train, val or test"),
)

_MODEL: tuple[tuple[str, pa.DataType, str], ...] = (
    ("model", pa.string(), "Method that made the descriptors"),
    ("model_fingerprint", pa.string(), "Of the trained model; vectors of different ones cannot be compared"),
)

_KINDS: Mapping[Purpose, str] = {
    "same": "Unit vector for searches among patches of this sensor",
    "cross": "Unit vector for searches among patches of the other sensor, and from them",
}


def vector_column(kind: Purpose) -> str:
    """Name of the column of a kind of descriptor."""
    return f"embedding_{kind}"


def schema_of(dimensions: Mapping[Purpose, int]) -> pa.Schema:
    """Columns of an export whose vectors have these kinds and dimensions."""
    vectors = [(vector_column(kind), pa.list_(pa.float16(), size)) for kind, size in dimensions.items()]
    return pa.schema([(name, kind) for name, kind, _ in _COLUMNS] + vectors + [(n, k) for n, k, _ in _MODEL])


def described_columns(dimensions: Mapping[Purpose, int]) -> list[dict[str, str]]:
    """The columns as the STAC extension `table` lists them."""
    vectors = [(vector_column(kind), f"float16[{size}]", _KINDS[kind]) for kind, size in dimensions.items()]
    rows = [*_COLUMNS, *vectors, *_MODEL]
    return [{"name": name, "type": str(kind), "description": text} for name, kind, text in rows]
