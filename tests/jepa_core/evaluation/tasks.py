"""Small random retrieval tasks."""

import numpy as np

from jepa_core.evaluation.retrieval import NONE, RetrievalTask


def labels(rng, count, classes, share=0.3):
    drawn = rng.random((count, classes)) < share
    drawn[np.arange(count), rng.integers(0, classes, count)] = True
    return drawn


def single_labels(rng, count, classes):
    return np.eye(classes, dtype=bool)[rng.integers(0, classes, count)]


def unit(rng, count, dimension=4):
    vectors = rng.normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_task(seed, queries=5, gallery=12, classes=5, kind=labels, removed=0.5, partners=0.7, ties=0):
    """Each query has a row left out, or a partner, by chance; `ties` gallery rows are copies of others."""
    rng = np.random.default_rng(seed)
    vectors = unit(rng, gallery)
    vectors[rng.integers(0, gallery, ties)] = vectors[rng.integers(0, gallery, ties)]
    left_out = np.where((rng.random(queries) < removed) & (gallery > 1), rng.integers(0, gallery, queries), NONE)
    partner = np.where(rng.random(queries) < partners, rng.integers(0, gallery, queries), NONE)
    return RetrievalTask(
        queries=unit(rng, queries),
        gallery=vectors,
        query_labels=kind(rng, queries, classes),
        gallery_labels=kind(rng, gallery, classes),
        left_out=left_out,
        partner=np.where(partner == left_out, NONE, partner),
    )
