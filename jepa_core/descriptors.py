"""Patches to descriptors: one table a scene, per model, sensor and scene."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jepa_core import atomic, versions
from jepa_core.fingerprint import short
from jepa_core.model import TrainedModel
from jepa_core.patch_store import read_manifest, read_pixels, stored_sensor
from jepa_core.progress import track
from jepa_core.sensors import SENSORS, Sensor
from jepa_core.store import Store
from jepa_core.tables import DESCRIBED, PATCHES, read_table, validated
from jepa_core.vectors import PURPOSES, DescriptorError, Descriptors, Purpose, check_unit

_BATCH = 64
"""Patches that go through the encoder at once."""


@dataclass(frozen=True)
class DescriptionSummary:
    """What a run over the archive did."""

    patches: int
    """Patches that have descriptors afterwards."""

    scenes_new: int
    """Scenes described now."""

    scenes_withdrawn: int
    """Scenes whose descriptors were removed, their patches being gone."""


def describe_archive(store: Store, model: TrainedModel) -> DescriptionSummary:
    """Brings the model's descriptors in line with the manifests; only what is missing is computed."""
    folder = store.descriptors(model.name, model.fingerprint)
    patches, todo, withdrawn = 0, [], 0
    for name in model.variant.sensors:
        sensor = stored_sensor(store, SENSORS[name])
        manifest = read_manifest(store, sensor)
        patches += int(manifest["patches"].sum())
        wanted = {f"{scene}.parquet": scene for scene in manifest["folder"]}
        there = set()
        for path in (folder / name).glob("[!.]*.parquet"):
            if path.name not in wanted:
                path.unlink()
                withdrawn += 1
            elif _whole(path):
                there.add(path.name)
        todo += [(sensor, scene) for file_name, scene in wanted.items() if file_name not in there]
    for sensor, scene in track(todo, "Describing", unit="scene"):
        _describe_scene(store, model, sensor, scene, folder / sensor.name / f"{scene}.parquet")
    return DescriptionSummary(patches, len(todo), withdrawn)


def _whole(path: Path) -> bool:
    """Whether a file is readable to its end and of this code version."""
    try:
        about = json.loads((pq.read_schema(path).metadata or {}).get(b"jepa", b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        return False
    return bool(about.get("version") == versions.DESCRIPTORS)


def descriptor_files(store: Store, model: TrainedModel) -> list[Path]:
    """The files that hold the model's descriptors of all scenes in the manifests."""
    folder = store.descriptors(model.name, model.fingerprint)
    return [
        folder / name / f"{scene}.parquet"
        for name in model.variant.sensors
        for scene in read_manifest(store, SENSORS[name])["folder"]
    ]


def _describe_scene(store: Store, model: TrainedModel, sensor: Sensor, scene: str, path: Path) -> None:
    rows = read_table(store.patches(sensor) / scene / "patches.parquet", PATCHES)
    columns: dict[str, pa.Array] = {"patch_id": pa.array(rows["patch_id"].tolist(), pa.string())}
    purposes = model.variant.purposes
    found: dict[Purpose, list[np.ndarray]] = {purpose: [] for purpose in purposes}
    for start in range(0, len(rows), _BATCH):
        pixels = read_pixels(store, sensor, rows.iloc[start : start + _BATCH])
        for purpose in purposes:
            found[purpose].append(model.describe(pixels, sensor)[purpose])
    for purpose in purposes:
        vectors = np.concatenate(found[purpose])
        check_unit(vectors, f"{purpose} descriptors of {scene}")
        half = pa.array(vectors.astype(np.float16).ravel())
        columns[purpose] = pa.FixedSizeListArray.from_arrays(half, vectors.shape[1])
    about = {
        "version": versions.DESCRIPTORS,
        "model": model.fingerprint,
        "sensor": sensor.name,
        "scene": scene,
    }
    table = pa.table(columns).replace_schema_metadata({"jepa": json.dumps(about)})
    with atomic.new_file(path) as temporary:
        pq.write_table(table, temporary)


def read_descriptors(store: Store, variant: str, model_fingerprint: str, sensor: Sensor) -> Descriptors:
    """All descriptors of the manifest's patches by one model.

    Raises:
        DescriptorError: a scene has none yet, or they are of another model, or broken; the message names the file.
    """
    folder = store.descriptors(variant, model_fingerprint) / sensor.name
    ids: list[np.ndarray] = []
    vectors: dict[Purpose, list[np.ndarray]] = {}
    for path, table in _scene_tables(store, folder, sensor):
        about = json.loads((table.schema.metadata or {}).get(b"jepa", b"{}"))
        if about.get("model") != model_fingerprint:
            raise DescriptorError(
                f"{path} holds descriptors of model {short(about.get('model') or 'unknown')}, "
                f"not of {short(model_fingerprint)}"
            )
        ids.append(np.asarray(table["patch_id"].to_pylist(), dtype=object))
        for purpose in (p for p in PURPOSES if p in table.column_names):
            flat = table[purpose].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            found = flat.reshape(len(table), -1).astype(np.float32)
            check_unit(found, f"{purpose} descriptors in {path}")
            vectors.setdefault(purpose, []).append(found / np.linalg.norm(found, axis=1, keepdims=True))
    if not ids:
        raise DescriptorError(f"no {sensor.name} patches to have descriptors of")
    patch_ids = np.concatenate(ids)
    validated(pd.DataFrame({"patch_id": patch_ids}, dtype="str"), DESCRIBED, f"{sensor.name} descriptors")
    order = np.argsort(patch_ids)
    return Descriptors(patch_ids[order], {p: np.concatenate(found)[order] for p, found in vectors.items()})


def _scene_tables(store: Store, folder: Path, sensor: Sensor) -> Iterator[tuple[Path, pa.Table]]:
    manifest: pd.DataFrame = read_manifest(store, sensor)
    for scene in manifest["folder"]:
        path = folder / f"{scene}.parquet"
        if not path.exists():
            raise DescriptorError(f"no descriptors of {sensor.name} scene {scene} at {path}")
        try:
            yield path, pq.read_table(path)
        except pa.ArrowException as error:
            raise DescriptorError(
                f"{path} is not readable ({error}); delete it and materialize the descriptors again"
            ) from error
