"""A small data root, of text."""

from jepa_core.remote.layout import Scope

ALL = Scope()
SCENE = "patches/sentinel1/scene-1"
FILES = {
    "root.json": "{}",
    f"{SCENE}/patches.parquet": "table",
    f"{SCENE}/pixels.zarr/zarr.json": "{}",
    f"{SCENE}/pixels.zarr/pixels/c/0": "p" * 100,
    "patches/sentinel1/manifest.parquet": "names scene-1",
    "models/crjepa/1/weights": "w",
    "indexes/crjepa/1/segments/1/vectors": "v",
    "indexes/crjepa/1/index.json": "names segment 1",
    "indexes/crjepa/current.json": "names index 1",
    "stages/crjepa_index.json": "record",
    "sets/eurosat-rgb/stages/record.json": "record",
}
LOCAL = {
    "cache/pairs/x": "",
    "training/crjepa/step-1/state": "",
    "mlflow/mlflow.db": "",
    "locks/stage.lock": "",
    "downloads/wheel": "",
    "sets/eurosat-rgb/training/x": "",
    "indexes/crjepa/1/writer.lock": "",
    "models/crjepa/.tmp-2-1-a/weights": "",
}


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def held(root):
    """Content of all files of a copy, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and ".remote" not in path.parts
    }
