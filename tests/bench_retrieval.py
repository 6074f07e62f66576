"""All retrieval metrics of a set of EuroSAT's size, in a process of its own for its memory; part of `make bench`.

5,400 queries among the other 21,600 patches, ten classes, dimension 128: vectors that lie about their class's centre.
"""

import json
import time

import numpy as np

from jepa_core.evaluation.intervals import figures
from jepa_core.evaluation.metrics import measure
from jepa_core.evaluation.retrieval import NONE, RetrievalTask
from tests.bench_pairing import peak_bytes

QUERIES, GALLERY, CLASSES, DIMENSION = 5_400, 21_600, 10, 128


def main() -> None:
    """Prints the figures as JSON: seconds of ours and of the reference, bytes before and at the peak."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, DIMENSION))
    queries, query_labels = drawn(rng, centres, QUERIES)
    gallery, gallery_labels = drawn(rng, centres, GALLERY)
    nobody = np.full(QUERIES, NONE)
    task = RetrievalTask(queries, gallery, query_labels, gallery_labels, left_out=nobody, partner=nobody)
    before = peak_bytes()
    started = time.perf_counter()
    found = figures([measure(task)], task, np.random.default_rng(0))
    ours, peak = time.perf_counter() - started, peak_bytes()
    started = time.perf_counter()
    for start in range(0, QUERIES, 100):
        np.argsort(-(queries[start : start + 100] @ gallery.T), axis=1, kind="stable")
    reference = time.perf_counter() - started
    figures_of = {"queries": QUERIES, "gallery": GALLERY, "figures": len(found), "before": before, "peak": peak}
    print(json.dumps(figures_of | {"seconds": ours, "reference": reference}))


def drawn(rng: np.random.Generator, centres: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors about the centres of their classes, and the labels."""
    classes = rng.integers(len(centres), size=count)
    vectors = (centres[classes] + 3 * rng.normal(size=(count, centres.shape[1]))).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.eye(len(centres), dtype=bool)[classes]


if __name__ == "__main__":
    main()
