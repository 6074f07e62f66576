import io
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from jepa_core.archive.nomenclature import BEN19
from jepa_core.evaluation.charts import COLOURS, Curve, class_bars, curve, recall_curves, retrieved_classes
from jepa_core.evaluation.descriptor_map import descriptor_map
from jepa_core.evaluation.report_charts import report_charts
from jepa_core.pictures import png
from tests.jepa_core.evaluation.made_reports import HOSTILE, TWO, details, report, searches, single_sensor

SEARCH = searches(TWO)[3]


def decoded(data):
    return imread(io.BytesIO(data))


def test_curves_are_in_percent_on_a_logarithmic_axis_with_the_random_rankings_line():
    curves = [Curve("a", (1, 10, 100), (0.1, 0.5, 1.0)), Curve("b", (1, 10, 50), (0.05, 0.2, 1.0))]
    axis = recall_curves("R", curves).axes[0]
    a, _, chance = axis.lines
    assert a.get_ydata().tolist() == [10.0, 50.0, 100.0]
    assert axis.get_xscale() == "log"
    assert axis.get_xlim() == (1, 100)
    # Up to rank 100 of 100 all is found, at rank 1 a hundredth.
    assert chance.get_ydata()[[0, -1]] == pytest.approx([1.0, 100.0])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b", "random ranking"]


def test_lines_differ_in_style_as_well_as_in_colour():
    curves = [Curve(str(i), (1, 10), (0.1, 1.0)) for i in range(5)]
    lines = recall_curves("R", curves).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines[:-1]}) == 5
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_the_curve_of_a_search_is_that_of_its_details():
    given = details(SEARCH, BEN19)
    assert curve("x", given) == Curve("x", given.curve_ranks, given.curve_recall)


def test_classes_are_bars_from_best_to_worst_each_with_its_chance():
    given = details(SEARCH, BEN19)
    axis = class_bars("B", given).axes[0]
    widths = [bar.get_width() for bar in axis.patches]
    assert widths == sorted((100 * f for f in given.class_figures), reverse=True)
    best = int(np.argmax(given.class_figures))
    assert axis.lines[0].get_xdata()[0] == pytest.approx(100 * given.class_chance[best])
    label = axis.get_yticklabels()[0].get_text()
    assert label.endswith(f"({given.class_queries[best]:,})")
    assert all(len(text.get_text()) < 52 for text in axis.get_yticklabels())


def test_nineteen_long_names_are_readable_in_the_matrix():
    given = details(SEARCH, BEN19)
    figure = retrieved_classes("M", given)
    axis = figure.axes[0]
    assert np.asarray(axis.images[0].get_array()) == pytest.approx(100 * np.asarray(given.retrieved))
    assert len({text.get_text() for text in axis.get_yticklabels()}) == 19
    assert min(text.get_fontsize() for text in axis.get_yticklabels()) >= 8
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.get_yticklabels()]
    assert all(above.y0 >= below.y1 - 1 for above, below in pairwise(boxes))
    width, height = figure.get_size_inches() * figure.dpi
    for text in (*axis.get_yticklabels(), *axis.get_xticklabels()):
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_many_classes_are_drawn_without_figures_in_the_cells():
    axis = retrieved_classes("M", details(SEARCH, [f"class {i}" for i in range(62)])).axes[0]
    assert len(axis.get_yticklabels()) == 62
    assert len(axis.texts) == 0


def test_one_class_and_hostile_names_can_be_drawn():
    for classes in (["only"], [HOSTILE, "Water"]):
        assert decoded(png(retrieved_classes(HOSTILE, details(SEARCH, classes)))).ndim == 3
    assert decoded(png(class_bars(HOSTILE, details(SEARCH, [HOSTILE])))).ndim == 3


def test_the_map_colours_the_most_frequent_classes_and_both_sensors():
    rng = np.random.default_rng(0)
    labels = [f"class {i % 10}" for i in range(500)] + ["class 3"] * 10
    vectors = rng.normal(size=(510, 16)).astype(np.float32)
    figure = descriptor_map("M", vectors, labels, [TWO[i % 2] for i in range(510)])
    by_class, by_sensor = figure.axes
    names = [text.get_text() for text in by_class.get_legend().get_texts()]
    assert names == ["other classes", "class 3", *(f"class {i}" for i in (0, 1, 2, 4, 5, 6))]
    assert [text.get_text() for text in by_sensor.get_legend().get_texts()] == list(TWO)
    colours = {to_hex(points.get_facecolor()[0][:3]) for points in by_class.collections}
    assert set(COLOURS) <= colours
    assert len(colours) == 8


def test_the_map_has_at_most_two_thousand_points_and_is_the_same_each_time():
    vectors = np.random.default_rng(1).normal(size=(4100, 8))
    figures = [descriptor_map("M", vectors, ["x"] * 4100, ["s"] * 4100) for _ in range(2)]
    points = [figure.axes[0].collections[0].get_offsets() for figure in figures]
    assert 1000 < len(points[0]) <= 2000
    assert np.array_equal(*points)


def test_a_report_has_curves_for_each_direction_and_classes_without_the_paired_patch(monkeypatch):
    monkeypatch.setattr("jepa_core.evaluation.report_charts.png", lambda figure: b"")
    assert list(report_charts(report(classes=("Forest", "Water")))) == [
        "Recall by rank, S1 → S1",
        "Recall by rank, S2 → S2",
        "Recall by rank, S1 → S2",
        "Recall by rank, S2 → S1",
        "F1@5 (A) by class, S1 → S1",
        "Classes retrieved, S1 → S1",
        "F1@5 (A) by class, S2 → S2",
        "Classes retrieved, S2 → S2",
        "F1@5 (A) by class, S1 → S2, paired patch removed",
        "Classes retrieved, S1 → S2, paired patch removed",
        "F1@5 (A) by class, S2 → S1, paired patch removed",
        "Classes retrieved, S2 → S1, paired patch removed",
    ]


def test_a_reports_charts_are_pictures():
    charts = report_charts(single_sensor())
    assert len(charts) == 3
    assert all(decoded(picture).ndim == 3 for picture in charts.values())
