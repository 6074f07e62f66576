import json

import numpy as np
import pytest

from jepa_core.archive.nomenclature import BEN19
from jepa_core.evaluation.benchmark import BenchmarkError, run_benchmark
from jepa_core.evaluation.report import ReportContext, markdown_table, write_report
from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2

SENSORS = (SENTINEL1, SENTINEL2)


@pytest.fixture(scope="module")
def results(cut_store, trained, described, pairs):
    return run_benchmark(cut_store, "crjepa", trained.fingerprint, pairs, SENSORS)


def test_four_directions_and_the_paired_patch_kept_and_removed(results):
    assert [(r.query[-1] + r.gallery[-1], r.pair, r.gallery_size) for r in results] == [
        ("11", "self removed", 7),
        ("22", "self removed", 7),
        ("12", "kept", 8),
        ("12", "removed", 7),
        ("21", "kept", 8),
        ("21", "removed", 7),
    ]
    assert all(r.queries == 8 for r in results)


def test_the_figures_are_those_of_a_plain_loop_over_descriptors(results, cut_store, described, pairs):
    test = pairs[pairs["split"] == "test"]
    labels = read_patches(cut_store, SENTINEL1).set_index("patch_id")["labels"]
    sets = [set(labels[name]) for name in test["patch_a"]]
    assert all(s <= set(BEN19) for s in sets)

    def vectors(sensor, column, purpose):
        side = described[sensor.name]
        rows = [side.patch_ids.tolist().index(name) for name in test[column]]
        return side.vectors[purpose][rows]

    a, b = vectors(SENTINEL1, "patch_a", "cross"), vectors(SENTINEL2, "patch_b", "cross")
    figures = []
    for i in range(len(test)):
        order = sorted((j for j in range(len(test)) if j != i), key=lambda j: -float(a[i] @ b[j]))[:5]
        per_hit = [2 * len(sets[i] & sets[j]) / (len(sets[i]) + len(sets[j])) for j in order]
        figures.append(np.mean(per_hit))
    assert results[3].f1_at_5 == pytest.approx(np.mean(figures))


def test_too_few_labelled_test_pairs_are_a_plain_error(cut_store, trained, described, pairs):
    few = pairs[(pairs["split"] != "test") | (pairs["split"] == "test").cumsum().le(3)]
    with pytest.raises(BenchmarkError, match="needs at least 7 labelled test pairs and found 3"):
        run_benchmark(cut_store, "crjepa", trained.fingerprint, few, SENSORS)


def context(archive):
    return ReportContext("crjepa", "m" * 64, "p" * 64, 24, "tiny", 300, 0, archive)


def test_the_report_holds_the_figures_and_needs_no_network(results, tmp_path):
    write_report(tmp_path / "r", results, context("sample"), {"A <picture>": b"\x89PNG"})
    page = (tmp_path / "r" / "report.html").read_text()
    assert "do not show how good the method is" in page
    assert "A &lt;picture&gt;" in page
    assert "data:image/png;base64,iVBORw==" in page
    assert "http" not in page
    fields = json.loads((tmp_path / "r" / "report.json").read_text())
    assert len(fields["results"]) == 6
    for result in results:
        assert f"{100 * result.f1_at_5:.1f}" in page
    assert markdown_table(results).count("\n") == 7
    write_report(tmp_path / "r", results, context("/my/archive"), {})
    assert "do not show how good" not in (tmp_path / "r" / "report.html").read_text()
