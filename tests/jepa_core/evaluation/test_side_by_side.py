"""On reports made by hand, with values of queries that are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_core.evaluation.measured import COLUMNS, to_table
from jepa_core.evaluation.report import write_report
from jepa_core.evaluation.side_by_side import reported, side_by_side
from jepa_core.evaluation.significance import SMALLEST_P
from jepa_core.evaluation.wording import file_stem
from jepa_core.store import Store
from tests.jepa_core.evaluation.made_reports import report, searches

SENSORS = ("sentinel1", "sentinel2")


def write(store, made, level, folder=None, lost=()):
    rng = np.random.default_rng(len(made.model.variant))
    columns = {name: level + rng.normal(0, 0.05, 120) for name in COLUMNS}
    table = to_table(columns).drop(columns=list(lost))
    tables = {file_stem(search): table for search in searches(SENSORS)}
    write_report(folder or store.benchmark(made.model.variant), made, tables, {})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store.at(tmp_path_factory.mktemp("set"))
    for variant, level in (("crjepa", 0.6), ("xjepa", 0.5), ("timm:resnet18", 0.3)):
        write(store, named(variant), level)
    return store


def named(variant, **change):
    return replace(report(variant), fingerprint=variant, **change)


def test_methods_are_listed_by_their_own_names_without_what_does_not_compare(store):
    good = named("mae")
    figures = tuple(replace(figure, chance=0.31) for figure in good.results[0].figures)
    others = {
        "ijepa": {"results": (replace(good.results[0], figures=figures), *good.results[1:])},
        "rejepa": {"results": good.results[1:]},
        "onnx:m.onnx": {"data": replace(good.data, version="e" * 64)},
        "pca": {},
    }
    for variant, change in others.items():
        write(store, named(variant, **change), 0.4)
    write(store, good, 0.4, lost=["map"])
    write(store, named("crjepa"), 0.6, folder=store.benchmark("a-copy"))
    assert reported(store, named("crjepa")) == ["crjepa", "timm:resnet18", "xjepa"]
    assert reported(store, named("timm:resnet18")) == ["crjepa", "timm:resnet18", "xjepa"]


def test_p_is_corrected_over_the_pairs_of_one_search_and_metric(store):
    comparison = side_by_side(store, ["crjepa", "xjepa", "timm:resnet18"])
    assert len(comparison.differences) == 2 * 6 * 3
    for found in comparison.differences:
        # Plain differences are settled, however many searches there are.
        assert found.p == pytest.approx(SMALLEST_P)
        assert found.p_corrected == pytest.approx(3 * SMALLEST_P)
