"""`make bench`: what costs time, each against a reference measured in the same run, on a synthetic archive."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
import torch

from jepa_core.archive.discover import Archive
from jepa_core.cutting import CutConfig
from jepa_core.datasets.stored_pairs import stored_pairs
from jepa_core.describing.archive import describe_archive
from jepa_core.extraction import extract
from jepa_core.index import Change, open_index, writing
from jepa_core.model import TrainedModel
from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.world import World
from jepa_core.training.batches import batch_at, model_generator
from jepa_core.training.cache import build_cache, open_cache
from jepa_core.training.group import Group
from jepa_core.training.step import Step
from jepa_core.variants import registry
from tests.bench_index import scenes_of
from tests.synthetic import write_pairs

SENSORS = (SENTINEL1, SENTINEL2)


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Fastest of some calls, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def report(what: str, ours: float, reference: float, against: str) -> None:
    print(f"{what:<52} {1000 * ours:9.2f} ms   {ours / reference:6.2f} x {against} ({1000 * reference:.2f} ms)")


def main() -> None:
    """Prints the table."""
    print(f"torch on {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_pairs(root / "archive", 96)
        store = Store.at(root / "data")
        for sensor in SENSORS:
            extract(store, Archive(root / "archive").sources(sensor), sensor, CutConfig())
        a, b = (read_patches(store, sensor) for sensor in SENSORS)
        pairs = pair_patches(a, b, PairingConfig())
        train = pairs[pairs["split"] == "train"]
        data = stored_pairs(store, train, SENSORS, "")
        build_cache(root / "cache", data, data.rows("train"))
        cache = open_cache(root / "cache")
        rows = b.set_index("patch_id", drop=False).loc[train["patch_b"]]
        bench_cutting(root)
        bench_batches(store, cache, rows)
        bench_step(cache)
        bench_describing(store, cache)
        bench_search(root)
    bench_pairing()
    bench_retrieval()
    for made in ("land", "tiled"):
        print(f"a million vectors, {made} (tests/bench_index.py says how they are made)", flush=True)
        subprocess.run([sys.executable, "-m", "tests.bench_index", "1000000", made], check=True)
    subprocess.run([sys.executable, "-m", "tests.bench_operations"], check=True)


def bench_cutting(root) -> None:
    """A Sentinel-2 product from JPEG 2000 to patches on disk, against decoding its bands and nothing else."""
    archive = root / "scene"
    archive.mkdir()
    time_taken = datetime(2023, 8, 15, 9, 50, 31, tzinfo=UTC)
    product = write_sentinel2_safe(
        archive, World(0), left=300_000, top=5_400_000, size_m=24_000, time=time_taken, copies=False
    )
    bands = [path for path in product.glob("GRANULE/*/IMG_DATA/R*/*.jp2") if "_B" in path.name]

    def decode() -> None:
        for path in bands:
            with rasterio.open(path) as file:
                file.read(1)

    def cut() -> None:
        store = Store.at(root / "scene-data")
        shutil.rmtree(store.root, ignore_errors=True)
        extract(store, Archive(archive).sources(SENTINEL2), SENTINEL2, CutConfig())

    report("a Sentinel-2 product of 24 km to patches on disk", seconds(cut, 2), seconds(decode, 2), "decoding it")


def bench_batches(store, cache, rows) -> None:
    """A batch from the flat cache against the same patches from zarr."""
    ours = seconds(lambda: np.array(cache.pixels["sentinel2"][np.arange(32)]))
    report(
        "32 patches from the training cache", ours, seconds(lambda: read_pixels(store, SENTINEL2, rows)), "from zarr"
    )


def bench_step(cache) -> None:
    """Each method's step, whole and in parts, and the making of its batch, against its forward pass."""
    whole = slice(0, 32)

    def make() -> dict[str, torch.Tensor]:
        return batch_at(cache, 0, 32, 0, True, whole)

    batch = make()
    for name, method in registry.METHODS.items():
        variant = registry.build(name, method.sizes["tiny"], {"sentinel1": 2, "sentinel2": 12}, 0)

        def step(micro_batch: int | None, mixed_precision: bool = True, variant=variant) -> None:
            variant.zero_grad()
            Step(variant, Group(), micro_batch, mixed_precision, steps=1)(batch, 32, model_generator(0, 0))

        reference = seconds(lambda variant=variant: variant.training_loss(batch, model_generator(0, 0)))
        report(f"{name} tiny: a step of 32 pairs", seconds(lambda: step(None)), reference, "forward")
        report(f"{name} tiny: the same in four parts", seconds(lambda: step(8)), reference, "forward")
        report(f"{name} tiny: the same in float32 alone", seconds(lambda: step(None, False)), reference, "forward")
    report("making the batch", seconds(make), reference, f"{name}'s forward")


def bench_describing(store, cache) -> None:
    """All small scenes to descriptors on disk, against the encoder alone on the same pixels in memory."""
    variant = registry.build("crjepa", registry.METHODS["crjepa"].sizes["tiny"], {"sentinel1": 2, "sentinel2": 12}, 0)
    model = TrainedModel("crjepa", variant.eval(), cache.sensors, cache.statistics, "0" * 64)
    patches = {sensor: read_patches(store, sensor) for sensor in SENSORS}
    images = {sensor: model.images(read_pixels(store, sensor, rows), sensor) for sensor, rows in patches.items()}

    def describe() -> None:
        shutil.rmtree(store.root / "descriptors", ignore_errors=True)
        describe_archive(store, model)

    def encode() -> None:
        for sensor, of_sensor in images.items():
            for part in of_sensor.split(64):
                model.encode(part, sensor)

    scenes = sum(rows["scene_id"].nunique() for rows in patches.values())
    what = f"describing {sum(map(len, images.values()))} patches of {scenes} small scenes"
    report(what, seconds(describe, 3), seconds(encode, 3), "the encoder alone")


def bench_search(root) -> None:
    """Exact search of 100,000 vectors against numpy's product and partial sort."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(100_000, 256)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with writing(root / "index") as writer:
        writer.apply("bench", "0", {"sentinel2": Change(scenes_of(vectors, 0))})
    index = open_index(root / "index")
    query = vectors[:1]

    def plain() -> np.ndarray:
        cosines = vectors @ query[0]
        top = np.argpartition(-cosines, 10)[:10]
        return top[np.argsort(-cosines[top])]

    ours = seconds(lambda: index.search(query, "0", "same", SENTINEL2, 10))
    report("one query, 100,000 vectors of dimension 256", ours, seconds(plain), "numpy")


def bench_pairing() -> None:
    """Ten million patches to pairs against pandas' nearest join, in a process of its own for the memory's sake."""
    command = [sys.executable, "-m", "tests.bench_pairing"]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    what = f"{figures['patches']:,} patches to {figures['pairs']:,} pairs"
    report(what, figures["seconds"], figures["reference"], "pandas' merge_asof, many to one")
    print(f"  most memory: {figures['peak'] / 1e9:.2f} GB, {figures['before'] / 1e9:.2f} GB before the pairing")


def bench_retrieval() -> None:
    """All metrics of a set of EuroSAT's size, with chance and intervals, against sorting the cosines and no more."""
    figures = json.loads(
        subprocess.run([sys.executable, "-m", "tests.bench_retrieval"], check=True, stdout=subprocess.PIPE).stdout
    )
    what = f"{figures['figures']} metrics, {figures['queries']:,} queries, gallery {figures['gallery']:,}"
    report(what, figures["seconds"], figures["reference"], "numpy's stable argsort")
    print(f"  most memory: {figures['peak'] / 1e9:.2f} GB, {figures['before'] / 1e9:.2f} GB before the metrics")


if __name__ == "__main__":
    main()
