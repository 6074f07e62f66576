"""A million vectors: building, searching, filtering and changing an index, against exact search in the same run."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import faiss
import numpy as np
import psutil

from jepa_core.catalog import current_model
from jepa_core.descriptors import read_descriptors
from jepa_core.errors import JepaError
from jepa_core.index import Change, Filter, SceneVectors, open_index, writing
from jepa_core.index.filters import EVERYTHING
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from tests.jepa_core.index.scenes import table_of_patches, unit

DIMENSION = 256
SCENE = 5_000
MODEL = "0" * 64


def land(count: int, seed: int) -> np.ndarray:
    """Vectors as of land cover: 40 classes of 50 kinds each, whose sizes fall off as 1 / rank ** 0.7.

    A vector is its class's centre, 0.8 of its kind's, 0.6 of a spread along 16 directions of the kind's own, and 0.3 of
    noise in all directions.
    """
    shape, rng = np.random.default_rng(0), np.random.default_rng(seed)
    classes = unit(shape.normal(size=(40, DIMENSION)))
    kinds = unit(shape.normal(size=(2000, DIMENSION)))
    along = unit(shape.normal(size=(2000, 16, DIMENSION)))
    shares = shape.permutation(1 / np.arange(1, 2001) ** 0.7)
    found = np.empty((count, DIMENSION), "float16")
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        kind = np.sort(rng.choice(2000, size, p=shares / shares.sum()))
        spread = np.empty((size, DIMENSION), "float32")
        for k in np.unique(kind):
            rows = kind == k
            spread[rows] = rng.normal(size=(rows.sum(), 16)).astype("float32") / 4 @ along[k]
        noise = unit(rng.normal(size=(size, DIMENSION)))
        vectors = unit(classes[kind // 50] + 0.8 * kinds[kind] + 0.6 * spread + 0.3 * noise)
        # Scenes hold all sorts of land.
        found[start : start + size] = vectors[rng.permutation(size)]
    return found


def tiled(real: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Real descriptors many times over, each moved by 0.5 of the difference of two others and 0.1 of noise."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, real.shape[1]), "float16")
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        a, b, c = (real[rng.integers(0, len(real), size)] for _ in range(3))
        weight = rng.normal(size=(size, 1)).astype("float32")
        found[start : start + size] = unit(a + 0.5 * weight * (b - c) + 0.1 * unit(rng.normal(size=a.shape)))
    return found


def brightness(vectors: np.ndarray) -> np.ndarray:
    """How far vectors go in one direction: something to do with what patches look like."""
    direction = unit(np.random.default_rng(3).normal(size=DIMENSION))
    parts = [vectors[start : start + 50_000].astype("float32") @ direction for start in range(0, len(vectors), 50_000)]
    return np.concatenate(parts)


def scenes_of(vectors: np.ndarray, first: int, prefix: str = "scene") -> Iterator[SceneVectors]:
    """Scenes of 5,000 patches, a day apart; the brightest three tenths have a label."""
    bright = brightness(vectors)
    limit = np.quantile(bright, 0.7)
    for number, start in enumerate(range(0, len(vectors), SCENE), start=first):
        part = vectors[start : start + SCENE]
        name = f"{prefix}-{number:04d}"
        patches = table_of_patches(name, np.arange(len(part)), number)
        patches["labels"] = [["bright"] if value > limit else [] for value in bright[start : start + SCENE]]
        yield SceneVectors(name, "1", patches, {"same": part})


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def change(folder: Path, change: Change) -> float:
    def work() -> None:
        with writing(folder) as writer:
            writer.apply("bench", MODEL, {"sentinel2": change})

    return seconds(work)


def bytes_of(folder: Path, full: bool) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files if (path.suffix == ".vectors") == full)


class Reference:
    """Exact search by faiss over float32, and which of its hits an index finds."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.flat = faiss.IndexFlatIP(DIMENSION)
        self.flat.add(vectors.astype("float32"))

    def recall(self, index, queries: np.ndarray, where: Filter = EVERYTHING, kept: np.ndarray | None = None) -> float:
        selector = None
        if kept is not None:
            bits = np.packbits(kept, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(kept), faiss.swig_ptr(bits))
        scores, _ = self.flat.search(queries, 10, params=faiss.SearchParameters(sel=selector))
        found = index.search(queries, MODEL, "same", SENTINEL2, 10, where)
        # Equal cosines are equally good; float16 keeps three digits.
        right = [np.array(s) >= tenth - 1e-5 for s, tenth in zip(found.scores, scores[:, -1], strict=True)]
        return float(np.mean([hits.sum() / 10 for hits in right]))


def single(index, queries: np.ndarray, where: Filter = EVERYTHING) -> float:
    """Median seconds of one query."""
    times = [seconds(lambda q=q: index.search(q[None], MODEL, "same", SENTINEL2, 10, where)) for q in queries]
    return float(np.median(times))


def real_descriptors() -> np.ndarray | None:
    """Those of the sample's patches that `make demo` left, of both sensors; None where it did not run."""
    try:
        model = current_model(Store.at(Path("data")), "crjepa").fingerprint
        of = [read_descriptors(Store.at(Path("data")), "crjepa", model, sensor) for sensor in (SENTINEL1, SENTINEL2)]
    except JepaError:
        return None
    return np.concatenate([found.vectors["same"] for found in of])


def main(count: int, made: str) -> None:
    """Prints the figures as they come, and all of them as JSON on the last line.

    Args:
        count: of vectors.
        made: `land` or `tiled`.
    """
    wanted = count + count // 100 + 200
    if made == "land":
        vectors = land(wanted, 1)
    else:
        real = real_descriptors()
        if real is None:
            print("no descriptors of the sample in data/: run make demo first")
            return
        vectors = tiled(real, wanted, 1)
    queries = vectors[-200:].astype("float32")
    vectors, more = vectors[:count], vectors[count : count + count // 100]
    figures: dict[str, float] = {"vectors": count}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "index"
        figures["build_s"] = change(folder, Change(scenes_of(vectors, 0)))
        figures["bytes_per_vector"] = bytes_of(folder, full=False) / count
        figures["bytes_per_full_vector"] = bytes_of(folder, full=True) / count
        reference = Reference(vectors)
        process = psutil.Process()
        before = process.memory_info().rss
        index = open_index(folder)
        figures["opening_mb"] = (process.memory_info().rss - before) / 1e6
        coarse = index.state.sensors["sentinel2"].coarse["same"]
        print(coarse, flush=True)
        figures["recall_stored"] = coarse.recall
        figures["recall"] = reference.recall(index, queries)
        figures["single_ms"] = 1000 * single(index, queries)
        exact = [seconds(lambda q=q: reference.flat.search(q[None], 10)) for q in queries[:20]]
        figures["exact_single_ms"] = 1000 * float(np.median(exact))
        figures["batch_ms_per_query"] = (
            1000 * seconds(lambda: index.search(queries, MODEL, "same", SENTINEL2, 10)) / len(queries)
        )
        figures["exact_batch_ms_per_query"] = 1000 * seconds(lambda: reference.flat.search(queries, 10)) / len(queries)
        figures["times_exact"] = figures["exact_single_ms"] / figures["single_ms"]
        print(json.dumps(figures, indent=1), flush=True)
        longitudes = np.array([lon for scene in scenes_of(vectors, 0) for lon in scene.patches["lon"]])
        days = np.arange(count) // SCENE
        for share in (0.5, 0.1, 0.01, 0.001, 0.0001):
            # Cells lie on a line: a box over a share of it; for small shares of the first tenth of all days.
            part = 0.1 if share < 0.01 else 1.0
            east = float(15 + share / part * SCENE / 100 - 0.005)
            last = int(part * count / SCENE)
            end = datetime(2023, 6, 1, tzinfo=UTC) + timedelta(days=last)
            where = Filter(bbox=(0.0, -90.0, east, 90.0), end=end if part < 1 else None)
            kept = (longitudes <= east) & (days < last)
            name = f"filter_{100 * share:g}%"
            figures[f"{name}_left"] = int(kept.sum())
            figures[f"{name}_recall"] = reference.recall(index, queries, where, kept)
            figures[f"{name}_ms"] = 1000 * single(index, queries[:50], where)
            print(name, kept.sum(), figures[f"{name}_recall"], figures[f"{name}_ms"], flush=True)
        # A filter that leaves what the queries do not look like.
        bright = brightness(vectors)
        dark = queries[np.argsort(brightness(queries))[:100]]
        where, kept = Filter(labels=("bright",)), bright > np.quantile(bright, 0.7)
        figures["filter_of_looks_left"] = int(kept.sum())
        figures["filter_of_looks_recall"] = reference.recall(index, dark, where, kept)
        figures["filter_of_looks_ms"] = 1000 * single(index, dark[:50], where)
        print({k: v for k, v in figures.items() if "looks" in k}, flush=True)
        figures["add_1%_s"] = change(folder, Change(scenes_of(more, 5000)))
        figures["add_1%_share_of_build"] = figures["add_1%_s"] / figures["build_s"]
        reference.flat.add(more.astype("float32"))
        index = open_index(folder)
        figures["recall_after_adding"] = reference.recall(index, queries)
        figures["single_ms_after_adding"] = 1000 * single(index, queries)
        gone = [f"scene-{number:04d}" for number in range(0, count // SCENE, 100)]
        figures["withdraw_1%_s"] = change(folder, Change((), gone))
        figures["withdraw_1%_share_of_build"] = figures["withdraw_1%_s"] / figures["build_s"]
        kept = np.ones(reference.flat.ntotal, bool)
        for number in range(0, count // SCENE, 100):
            kept[number * SCENE : (number + 1) * SCENE] = False
        index = open_index(folder)
        figures["recall_after_withdrawing"] = reference.recall(index, queries, kept=kept)
        figures["single_ms_after_withdrawing"] = 1000 * single(index, queries)
    figures |= grown(vectors[: count // 5], queries)
    print(json.dumps({"made": made, **figures}))


def grown(vectors: np.ndarray, queries: np.ndarray) -> dict[str, float]:
    """A fifth of the vectors added at once and in forty changes: recall and latency of both."""
    reference, scenes = Reference(vectors), list(scenes_of(vectors, 0))
    figures: dict[str, float] = {}
    for name, parts in (("one_build", 1), ("forty_adds", 40)):
        step = -(-len(scenes) // parts)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "index"
            starts = range(0, len(scenes), step)
            figures[f"{name}_s"] = sum(change(folder, Change(scenes[start : start + step])) for start in starts)
            index = open_index(folder)
            figures[f"{name}_recall"] = reference.recall(index, queries)
            figures[f"{name}_single_ms"] = 1000 * single(index, queries)
            figures[f"{name}_segments"] = len(index.state.sensors["sentinel2"].segments)
        print({k: v for k, v in figures.items() if k.startswith(name)}, flush=True)
    return figures


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
