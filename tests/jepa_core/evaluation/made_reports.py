"""Reports made by hand, with figures whose order is known."""

from dataclasses import replace

import numpy as np

from jepa_core.archive.nomenclature import BEN19
from jepa_core.evaluation.results import (
    Classification,
    Cost,
    DataFacts,
    Details,
    Figure,
    ModelFacts,
    Report,
    Result,
    Search,
    Surroundings,
)

KS = (1, 5, 10, 20)
METRICS = [f"{name}@{k}" for name in ("f1_a", "f1_b", "f1_c", "precision", "recall", "map", "ndcg") for k in KS]
METRICS += ["map", "r_precision"]
PARTNER = ["partner_recall@1", "partner_recall@5", "partner_recall@10", "partner_median_rank"]

TWO = ("sentinel1", "sentinel2")


def searches(sensors):
    """As a benchmark of these sensors has them."""
    found = [Search("test", s, s, "self removed") for s in sensors]
    across = [(a, b) for a in sensors for b in sensors if a != b]
    found += [Search("test", a, b, pair) for a, b in across for pair in ("kept", "removed")]
    found += [Search("val to test", a, b, "apart") for a in sensors for b in sensors]
    return found


def figure(metric, value, chance=0.3, seeds=1, half=0.02):
    """A figure whose seeds lie around its value."""
    offsets = np.linspace(-0.01, 0.01, seeds) if seeds > 1 else [0.0]
    return Figure(metric, value, value - half, value + half, chance, tuple(float(value + o) for o in offsets))


def result(
    search, value, head="same", serves=True, chance=0.3, seeds=1, half=0.02, queries=120, gallery=119, unanswerable=0
):
    """All metrics of a search: the three F1 in their order, the rest a little off the main figure."""
    figures = []
    for i, metric in enumerate(METRICS):
        off = {"f1_a": 0.0, "f1_b": 0.03, "f1_c": 0.015}.get(metric.partition("@")[0], 0.001 * i)
        figures.append(figure(metric, value + off, chance, seeds, half))
    if search.pair == "kept":
        figures += [figure(m, value - 0.2 + 0.02 * i, 0.01, seeds) for i, m in enumerate(PARTNER[:3])]
        figures.append(Figure(PARTNER[3], 3.0, 2.0, 5.0, 60.5, (3.0,) * seeds))
    return Result(search, head, serves, queries, gallery, unanswerable, tuple(figures))


def details(search, classes, gallery=119):
    count = len(classes)
    rng = np.random.default_rng(count)
    ranks = sorted({int(r) for r in np.geomspace(1, gallery, 20)})
    recall = [(r / gallery) ** 0.55 for r in ranks]
    shares = 0.6 * np.eye(count) + 0.35 * rng.random((count, count)) ** 3
    return Details(
        search,
        tuple(classes),
        tuple(int(n) for n in rng.integers(3, 90, count)),
        tuple(float(f) for f in 0.3 + 0.6 * rng.random(count)),
        tuple(float(f) for f in 0.1 + 0.3 * rng.random(count)),
        tuple(ranks),
        tuple(recall),
        tuple(tuple(float(v) for v in row) for row in shares),
    )


def report(
    variant="crjepa",
    values=None,
    *,
    sensors=TWO,
    classes=BEN19,
    name="ben14k",
    seeds=(0,),
    other_head=True,
    baselines=(("band-statistics", 0.4), ("random-encoder", 0.35)),
    heads=("same", "cross"),
    gallery=119,
    **model,
):
    """A report whose main figures, by search in the order of `searches`, are `values`."""
    asked = searches(sensors)
    values = values if values is not None else [0.5 + 0.01 * i for i in range(len(asked))]
    results, other = [], []
    for search, value in zip(asked, values, strict=True):
        within = search.query == search.gallery
        size = gallery + (search.pair in ("kept", "apart"))
        results.append(result(search, value, heads[0] if within else heads[-1], seeds=len(seeds), gallery=size))
        if other_head:
            other.append(replace(results[-1], head=heads[-1] if within else heads[0], serves=False))
    made = {
        baseline: tuple(result(search, value, gallery=gallery) for search in asked) for baseline, value in baselines
    }
    facts = {
        "variant": variant,
        "models": tuple(f"{variant}{seed}" * 8 for seed in seeds),
        "seeds": tuple(seeds),
        "size": "tiny",
        "config": {"width": 192, "heads": [3, 3], "mask": 0.5},
        "recipe": {"optimiser": "AdamW", "steps": 300},
        "train_rows": 240,
        "steps": 300,
        "training_seconds": 61.4,
        "cost": Cost(3_319_680, dict.fromkeys(sensors, 1_250_000_000), dict.fromkeys(sensors, 0.0042), 1024),
    }
    return Report(
        "f" * 64,
        DataFacts(
            name,
            "d" * 64,
            "/data/some/archive",
            tuple(sensors),
            {"train": 240, "val": 110, "test": 120},
            {"train": 240, "val": 110, "test": 120},
            tuple(classes),
            True,
            "Made up. No licence.",
            ("Splits are of our making.",),
        ),
        ModelFacts(**{**facts, **model}),
        (*results, *other),
        tuple(details(search, classes, gallery) for search in asked),
        (
            Classification(
                sensors[0], "same", "k-NN", 1.0, 240, 120, "micro mAP", 0.61, tuple(0.61 for _ in seeds), 0.3
            ),
            Classification(sensors[0], "same", "linear probe", 0.01, 2, 120, "macro mAP", 0.2, (0.2,), 0.21),
        ),
        made,
        {
            baseline: (
                # Another kind of descriptor may serve a baseline.
                Classification(sensors[0], "cross", "k-NN", 1.0, 240, 120, "micro mAP", value + 0.1, (value,), 0.3),
                Classification(sensors[0], "cross", "linear probe", 0.01, 2, 120, "macro mAP", 0.1, (0.1,), 0.21),
            )
            for baseline, value in baselines
        },
        Surroundings("2026-11-21", "a processor, 2 cores", {"jepa-search": "0.1.0", "torch": "2.15"}, 12.0),
    )


def single_sensor():
    """A set of one sensor with one class a patch, and nothing to classify by."""
    made = report(
        "ijepa",
        [0.55, 0.52],
        sensors=("optical_rgb",),
        classes=("Forest", "Highway", "River"),
        name="eurosat-rgb",
        other_head=False,
        heads=("same",),
    )
    return replace(made, classification=(), baseline_classification={}, data=replace(made.data, multi_label=False))


HOSTILE = '<script>alert("x")</script> & | `code` $a_b$'


def hostile():
    """Names that break out of pages and tables which do not escape them."""
    made = report(f"v{HOSTILE}", classes=(HOSTILE, "Water"), name=f"set {HOSTILE}")
    return replace(
        made,
        baselines={HOSTILE: next(iter(made.baselines.values()))},
        model=replace(made.model, config={HOSTILE: HOSTILE}),
        data=replace(made.data, notes=(HOSTILE,), source=HOSTILE, archive=HOSTILE),
    )
