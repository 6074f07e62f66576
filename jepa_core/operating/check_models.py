"""Models and descriptors."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jepa_core import atomic, tables, versions
from jepa_core.descriptors import is_whole, read_scene_descriptors
from jepa_core.errors import JepaError
from jepa_core.fingerprint import short
from jepa_core.operating.findings import Cure, Finding, Ward, reason, settled
from jepa_core.operating.inventory import folders, serving_index
from jepa_core.patch_store import read_manifest
from jepa_core.progress import track
from jepa_core.sensors import SENSORS
from jepa_core.stages import read_record


def check_models(ward: Ward, variant: str) -> Iterator[Finding]:
    """The variant's models, by their own fingerprints; only one that something names is an error."""
    store = ward.store
    record = ward.store.stage_records / f"{variant}_model.json"
    for folder in folders(store.root / "models" / variant):
        yield from settled(partial(_model, ward, variant, folder), [record, folder / "model.json"])


def check_descriptors(ward: Ward, variant: str) -> Iterator[Finding]:
    """Descriptors of every scene, by the model that serves and the one that was trained last."""
    store = ward.store
    for model in sorted(_models(ward, variant)):
        folder = store.descriptors(variant, model)
        for sensor in folders(folder):
            if sensor.name in ward.unread or sensor.name not in SENSORS:
                continue
            manifest = store.patches(SENSORS[sensor.name]) / "manifest.parquet"
            rows = tables.records(read_manifest(store, SENSORS[sensor.name]))
            for row in track(rows, f"Checking {variant} descriptors of {sensor.name}", unit="scene"):
                path = sensor / f"{row['folder']}.parquet"
                yield from settled(partial(_described, ward, variant, model, path, row), [manifest, path])


def _model(ward: Ward, variant: str, folder: Path) -> list[Finding]:
    from jepa_core.model import load_model

    if not folder.is_dir():
        return []
    try:
        model = load_model(folder)
        broken = [name for name, value in model.variant.state_dict().items() if not value.isfinite().all()]
        what = f"{len(broken)} of its tensors are not finite, first {broken[0]}" if broken else None
    except (JepaError, OSError) as error:
        what = reason(error)
    except Exception as error:  # a description that lacks a field, weights that are none
        what = f"cannot be loaded: {reason(error)}"
    if what is None:
        return []
    named = folder in _named(ward, variant)
    means = "nothing can be described with it" if named else "nothing names it"
    said = (
        f"a back-up, or the files that MLflow keeps of its run; else deleting the folder and training again: "
        f"dagster asset materialize --select {variant}_model"
        if named
        else "deleting the folder by hand"
    )
    return [Finding(folder, what, means, said, wrong=named)]


def _named(ward: Ward, variant: str) -> set[Path]:
    found: set[Path] = set()
    try:
        record = read_record(ward.store, f"{variant}_model")
        if record is not None:
            found.add(ward.store.root / str(record.summary.get("folder")))
    except JepaError:
        # Which it was cannot be known: each may be it.
        return set(folders(ward.store.root / "models" / variant))
    try:
        serving = serving_index(ward.store, variant)
    except JepaError:
        serving = None
    return found | ({serving.model_folder} if serving is not None else set())


def _models(ward: Ward, variant: str) -> set[str]:
    """Fingerprints of the models whose descriptors are needed."""
    found = set()
    try:
        if (record := read_record(ward.store, f"{variant}_model")) is not None:
            found.add(record.data_version)
        if (serving := serving_index(ward.store, variant)) is not None:
            found.add(serving.model)
    except JepaError:
        # What cannot be read is found by others.
        pass
    return found


def _described(ward: Ward, variant: str, model: str, path: Path, row: dict[str, Any]) -> list[Finding]:
    # What is not there yet is no fault; what is no longer there the stage's record knows.
    if not path.exists():
        return []
    sensor = SENSORS[path.parent.name]
    try:
        found = read_scene_descriptors(path, model)
        what = None if is_whole(path) else f"is not of version {versions.DESCRIPTORS}"
        if what is None and row["folder"] not in ward.broken.get(sensor.name, ()):
            table = ward.store.patches(sensor) / row["folder"] / "patches.parquet"
            ids = pq.read_table(table, columns=["patch_id"])["patch_id"].to_pylist()
            what = None if ids == found.patch_ids.tolist() else "is of other patches than its scene's"
    except (JepaError, OSError) as error:
        what = reason(error)
    except Exception as error:  # whatever the reading of damaged bytes trips over
        what = f"cannot be read: {reason(error)}"
    if what is None:
        return []
    name = f"{variant}_descriptors"

    def delete() -> str:
        atomic.remove(path)
        return f"deleted {path}"

    means = f"{variant} {short(model)} cannot search {row['patches']:,} patches of {row['scene_id']} rightly"
    said = f"deleting it, and: dagster asset materialize --select {name}"
    return [Finding(path, what, means, said, cure=Cure((name,), delete, name))]
