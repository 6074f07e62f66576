import shutil

import numpy as np
import pytest

from jepa_core.archive.nomenclature import BEN19
from jepa_core.describing.archive import describe_archive
from jepa_core.evaluation.benchmark import BenchmarkError, run_benchmark
from jepa_core.model import TrainedModel
from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.variants import registry

SENSORS = (SENTINEL1, SENTINEL2)

SEARCHES = [
    ("11", "self removed", 7),
    ("22", "self removed", 7),
    ("12", "kept", 8),
    ("12", "removed", 7),
    ("21", "kept", 8),
    ("21", "removed", 7),
]


@pytest.fixture(scope="module")
def results(cut_store, trained, described, pairs):
    return run_benchmark(cut_store, "crjepa", trained.fingerprint, pairs, SENSORS)


def searches(results):
    return [(r.query[-1] + r.gallery[-1], r.pair, r.gallery_size) for r in results]


def test_four_directions_and_the_paired_patch_kept_and_removed_with_each_head_those_that_serve_first(results):
    assert searches(results) == SEARCHES * 2
    assert [r.serves for r in results] == [True] * 6 + [False] * 6
    assert [r.head for r in results[:6]] == ["same", "same", "cross", "cross", "cross", "cross"]
    assert [r.head for r in results[6:]] == ["cross", "cross", "same", "same", "same", "same"]
    assert all(r.queries == 8 for r in results)


@pytest.mark.parametrize(("variant", "head"), [("ijepa", "same"), ("xjepa", "cross")])
def test_the_one_head_of_a_model_serves_all_directions(variant, head, cut_store, trained, pairs, tmp_path):
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    bands = {name: len(sensor.bands) for name, sensor in trained.sensors.items()}
    network = registry.build(variant, registry.method(variant).sizes["tiny"], bands, seed=0).eval()
    describe_archive(store, TrainedModel(variant, network, trained.sensors, trained.statistics, "u" * 64))
    results = run_benchmark(store, variant, "u" * 64, pairs, SENSORS)
    assert searches(results) == SEARCHES
    assert all(r.serves and r.head == head for r in results)


@pytest.mark.parametrize(("row", "head"), [(3, "cross"), (9, "same")])
def test_the_figures_are_those_of_a_plain_loop_over_descriptors(results, cut_store, described, pairs, row, head):
    test = pairs[pairs["split"] == "test"]
    labels = read_patches(cut_store, SENTINEL1).set_index("patch_id")["labels"]
    sets = [set(labels[name]) for name in test["patch_a"]]
    assert all(s <= set(BEN19) for s in sets)

    def vectors(sensor, column, purpose):
        side = described[sensor.name]
        rows = [side.patch_ids.tolist().index(name) for name in test[column]]
        return side.vectors[purpose][rows]

    a, b = vectors(SENTINEL1, "patch_a", head), vectors(SENTINEL2, "patch_b", head)
    figures = []
    for i in range(len(test)):
        order = sorted((j for j in range(len(test)) if j != i), key=lambda j: -float(a[i] @ b[j]))[:5]
        per_hit = [2 * len(sets[i] & sets[j]) / (len(sets[i]) + len(sets[j])) for j in order]
        figures.append(np.mean(per_hit))
    assert results[row].f1_at_5 == pytest.approx(np.mean(figures))
    assert 0 < results[row].chance < 1


def test_too_few_labelled_test_pairs_are_a_plain_error(cut_store, trained, described, pairs):
    few = pairs[(pairs["split"] != "test") | (pairs["split"] == "test").cumsum().le(3)]
    with pytest.raises(BenchmarkError, match="needs at least 7 labelled test pairs and found 3"):
        run_benchmark(cut_store, "crjepa", trained.fingerprint, few, SENSORS)
