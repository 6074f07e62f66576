"""Descriptors on disk: one table a scene, per model, sensor and scene."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jepa_core import atomic, versions
from jepa_core.fingerprint import short
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import SENSORS, Sensor
from jepa_core.store import Store
from jepa_core.tables import DESCRIBED, validated
from jepa_core.vectors import PURPOSES, DescriptorError, Descriptors, Purpose, check_unit

if TYPE_CHECKING:
    from jepa_core.model import TrainedModel


def is_whole(path: Path) -> bool:
    """Whether a file is readable to its end and of this code version."""
    try:
        about = json.loads((pq.read_schema(path).metadata or {}).get(b"jepa", b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        return False
    return bool(about.get("version") == versions.DESCRIPTORS)


def descriptor_files(store: Store, model: "TrainedModel") -> list[Path]:
    """The files that hold the model's descriptors of all scenes in the manifests."""
    folder = store.descriptors(model.name, model.fingerprint)
    return [
        folder / name / f"{scene}.parquet"
        for name in model.variant.sensors
        for scene in read_manifest(store, SENSORS[name])["folder"]
    ]


def write_scene_descriptors(
    path: Path, model_fingerprint: str, sensor: Sensor, patch_ids: Sequence[str], vectors: Mapping[Purpose, np.ndarray]
) -> None:
    """Writes one scene's descriptors atomically.

    Args:
        path: the file; it is named after the scene.
        model_fingerprint: of the model that made them.
        sensor: of the patches.
        patch_ids: of each row.
        vectors: by kind, (patches, dimension); float16 is what is kept of them.

    Raises:
        DescriptorError: some are not finite unit vectors.
    """
    columns: dict[str, pa.Array] = {"patch_id": pa.array(patch_ids, pa.string())}
    for purpose, rows in vectors.items():
        check_unit(rows, f"{purpose} descriptors of {path.stem}")
        columns[purpose] = pa.FixedSizeListArray.from_arrays(pa.array(rows.astype(np.float16).ravel()), rows.shape[1])
    about = {
        "version": versions.DESCRIPTORS,
        "model": model_fingerprint,
        "sensor": sensor.name,
        "scene": path.stem,
    }
    table = pa.table(columns).replace_schema_metadata({"jepa": json.dumps(about)})
    with atomic.new_file(path) as temporary:
        pq.write_table(table, temporary)


def read_scene_descriptors(path: Path, model_fingerprint: str) -> Descriptors:
    """One scene's descriptors, in the order of the file, which is that of the scene's pixels: not sorted by id.

    Args:
        path: a file of `descriptor_files`.
        model_fingerprint: of the model that they have to be of.

    Raises:
        DescriptorError: they are of another model, not readable or not unit vectors; the message names the file.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise DescriptorError(f"no descriptors at {path}") from error
    except (pa.ArrowException, OSError) as error:
        raise DescriptorError(
            f"{path} is not readable ({error}); delete it and materialize the descriptors again"
        ) from error
    about = json.loads((table.schema.metadata or {}).get(b"jepa", b"{}"))
    if about.get("model") != model_fingerprint:
        raise DescriptorError(
            f"{path} holds descriptors of model {short(about.get('model') or 'unknown')}, "
            f"not of {short(model_fingerprint)}"
        )
    vectors: dict[Purpose, np.ndarray] = {}
    for purpose in (p for p in PURPOSES if p in table.column_names):
        flat = table[purpose].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        found = flat.reshape(len(table), -1).astype(np.float32)
        check_unit(found, f"{purpose} descriptors in {path}")
        vectors[purpose] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return Descriptors(np.asarray(table["patch_id"].to_pylist(), dtype=object), vectors)


def read_descriptors(store: Store, variant: str, model_fingerprint: str, sensor: Sensor) -> Descriptors:
    """All descriptors of the manifest's patches by one model, sorted by patch id.

    Raises:
        DescriptorError: a scene has none yet, or they are of another model, or broken; the message names the file.
    """
    folder = store.descriptors(variant, model_fingerprint) / sensor.name
    scenes = [
        read_scene_descriptors(folder / f"{scene}.parquet", model_fingerprint)
        for scene in read_manifest(store, sensor)["folder"]
    ]
    if not scenes:
        raise DescriptorError(f"no {sensor.name} patches to have descriptors of")
    patch_ids = np.concatenate([scene.patch_ids for scene in scenes])
    validated(pd.DataFrame({"patch_id": patch_ids}, dtype="str"), DESCRIBED, f"{sensor.name} descriptors")
    order = np.argsort(patch_ids)
    vectors = {p: np.concatenate([scene.vectors[p] for scene in scenes])[order] for p in scenes[0].vectors}
    return Descriptors(patch_ids[order], vectors)
