"""On reports made by hand."""

import json
import os
from dataclasses import replace

import pytest

from jepa_core.evaluation.compared import Difference
from jepa_core.evaluation.comparison import column_names, compare
from jepa_core.evaluation.comparison_page import comparison_page, write_comparison
from jepa_core.evaluation.markdown import markdown_comparison
from jepa_core.evaluation.report_json import ReportError
from jepa_core.evaluation.results import Search
from tests.jepa_core.evaluation.made_reports import HOSTILE, hostile, report, searches, single_sensor
from tests.jepa_core.evaluation.pages import Page, make_sure_well_made

SENSORS = ("sentinel1", "sentinel2")
SEARCHES = searches(SENSORS)

# Baselines are 0.40 and 0.35, intervals 0.02 to each side.
REPORTS = [
    report("ijepa", [0.52, 0.41, 0.31, 0.29, 0.30, 0.28, 0.5, 0.3, 0.3, 0.5], heads=("same",), other_head=False),
    report("xjepa", [0.50, 0.41, 0.55, 0.40, 0.47, 0.35, 0.5, 0.5, 0.5, 0.5], heads=("cross",), other_head=False),
    report("crjepa", [0.51, 0.39, 0.56, 0.46, 0.47, 0.41, 0.6, 0.6, 0.6, 0.6], seeds=(0, 1, 2)),
]

DIFFERENCES = [
    Difference("map", SEARCHES[0], "ijepa", "xjepa", 0.02, 0.001, 0.04, 0.03, 0.09),
    Difference("f1_a@5", SEARCHES[2], "xjepa", "crjepa", -0.01, -0.03, 0.01, 0.4, 0.4),
    Difference("f1_a@5", SEARCHES[2], "ijepa", "crjepa", -0.25, -0.28, -0.22, 0.0001, 0.0003),
]


@pytest.fixture(scope="module")
def comparison():
    return compare(REPORTS, DIFFERENCES)


@pytest.fixture(scope="module")
def page(comparison):
    return Page(comparison_page(comparison, {}))


def main(comparison):
    return [line for line in comparison.lines if line.metric == "f1_a@5"]


def test_a_line_a_search_and_metric_a_column_a_method_with_the_figures_that_serve(comparison):
    lines = main(comparison)
    assert [line.search for line in lines] == SEARCHES
    assert {name: figure.value for name, figure in lines[3].figures.items()} == {
        "ijepa": 0.29,
        "xjepa": 0.40,
        "crjepa": 0.46,
    }
    assert list(comparison.methods) == ["ijepa", "xjepa", "crjepa"]
    assert len(comparison.lines) == 10 * 30 + 2 * 4
    assert all(line.baselines == {"band-statistics": 0.4, "random-encoder": 0.35} for line in lines)


def test_the_best_of_each_line_and_what_the_others_are_worth(comparison):
    lines = main(comparison)
    assert [sorted(line.best) for line in lines[:6]] == [
        ["ijepa"],
        ["ijepa", "xjepa"],
        ["crjepa"],
        ["crjepa"],
        ["crjepa", "xjepa"],
        ["crjepa"],
    ]
    # 0.40 is as good as the baseline, which is no better; 0.41 is within its interval of it.
    assert [line.verdict("xjepa") for line in lines[:6]] == [
        "beats",
        "unsettled",
        "beats",
        "fails",
        "beats",
        "fails",
    ]


def test_the_lowest_median_rank_is_best():
    better = report("a", other_head=False)
    figures = tuple(
        replace(f, value=2.0, low=1.0, high=2.5) if f.metric == "partner_median_rank" else f
        for f in better.results[2].figures
    )
    better = replace(
        better, results=(*better.results[:2], replace(better.results[2], figures=figures), *better.results[3:])
    )
    lines = compare([better, report("b", other_head=False)]).lines
    first = next(line for line in lines if line.metric == "partner_median_rank")
    assert first.best == {"a"}
    assert (first.verdict("a"), first.verdict("b")) == ("beats", "fails")


def test_reports_of_different_data_are_refused_with_whose_is_of_which():
    other = report("mae")
    newer = replace(other, data=replace(other.data, version="e" * 64))
    with pytest.raises(ReportError, match=r"different data: ijepa's of ben14k dddddddddddd, .*mae's of ben14k eeeee"):
        compare([*REPORTS, newer])
    with pytest.raises(ReportError, match="different data"):
        compare([REPORTS[1], single_sensor()])
    with pytest.raises(ReportError, match="no report"):
        compare([])


@pytest.mark.parametrize(
    "change", [{"queries": 17}, {"gallery_size": 18}, {"search": Search("test", *SENSORS, "kept")}, {"serves": False}]
)
def test_reports_of_different_searches_are_refused(change):
    broken = report("mae")
    results = (replace(broken.results[0], **change), *broken.results[1:])
    with pytest.raises(ReportError, match="ijepa and mae are of different searches"):
        compare([REPORTS[0], replace(broken, results=results)])


def test_another_chance_on_the_same_data_is_refused():
    broken = report("mae")
    figures = (replace(broken.results[0].figures[0], chance=0.31), *broken.results[0].figures[1:])
    results = (replace(broken.results[0], figures=figures), *broken.results[1:])
    with pytest.raises(ReportError, match=r"chance of F1@1 \(A\) in S1 → S1 \(test\) differs"):
        compare([REPORTS[0], replace(broken, results=results)])


def test_columns_are_told_apart_by_size_and_then_by_model():
    tiny, small = report("mae"), report("mae", size="small")
    assert column_names([tiny, report("ijepa")]) == ["mae", "ijepa"]
    assert column_names([tiny, small]) == ["mae tiny", "mae small"]
    assert column_names([tiny, report("mae", seeds=(5,))]) == ["mae tiny mae0mae0mae0", "mae tiny mae5mae5mae5"]
    with pytest.raises(ReportError, match="there twice"):
        column_names([tiny, tiny])


def test_the_notes_name_seeds_trainings_that_differ_and_methods_that_know_one_sensor(comparison):
    said = list(comparison.notes)
    assert said[0].startswith("One seed of ijepa and xjepa:")
    assert said[1] == "The methods differ in seeds, see the table of their trainings."
    assert said[2].startswith("By ijepa each sensor is described apart")
    assert said[3:] == ["Splits are of our making."]
    alike = compare([report("crjepa", seeds=(1, 2)), report("xjepa", seeds=(1, 2))])
    assert alike.notes == ("Splits are of our making.",)
    differing = compare(
        [report("crjepa", seeds=(1, 2)), report("xjepa", seeds=(1, 2), size="small", steps=9, train_rows=8)]
    )
    assert differing.notes[0].startswith("The methods differ in size, training rows and training steps")


def test_of_models_of_users_neither_training_nor_sensors_are_claimed():
    users = report("timm:croma", heads=("same",), other_head=False, size="", train_rows=0, steps=0)
    both = compare([report("crjepa", seeds=(1, 2)), users])
    assert both.notes == ("Splits are of our making.",)
    line = Page(comparison_page(both, {})).table("Size and training").line("timm:croma")
    assert [cell.text for cell in line[3:7]] == ["—", "—", "1", "—"]
    assert "| timm:croma |  | 3,319,680 | — | — | 1 seed | — |" in markdown_comparison(both)


def test_classification_is_there_a_column_a_method(page):
    table = page.table("Trained on the training split")
    knn = table.line("sentinel1", "k-NN", "100 %", "micro mAP")
    assert [cell.text for cell in knn[4:]] == [
        *["61.0, best of the line"] * 2, "61.0 ± 0.0, best of the line", "30.0", "50.0", "45.0",
    ]  # fmt: skip
    probe = table.line("sentinel1", "linear probe", "1 %", "macro mAP")
    assert all(cell.attributes["class"] == "fails plain best" for cell in probe[4:7])


def test_classification_marks_the_best_and_what_is_no_better_than_a_baseline():
    made = report("mae", baselines=(("band-statistics", 0.45),))
    found = tuple(replace(one, value=one.value - 0.1) for one in made.classification)
    both = compare([REPORTS[2], replace(made, classification=found)])
    first = both.classification[0]
    assert first.best == {"crjepa"}
    assert first.baselines == {"band-statistics": pytest.approx(0.55), "random-encoder": pytest.approx(0.45)}
    line = Page(comparison_page(both, {})).table("Trained on the training split").rows[1]
    assert [cell.attributes["class"] for cell in line[4:6]] == ["beats plain best", "fails plain"]
    without = compare([REPORTS[2], replace(made, classification=())])
    assert without.classification == ()


def test_where_reports_disagree_on_a_baseline_the_best_is_shown_and_said():
    other = report("mae", baselines=(("band-statistics", 0.45),))
    both = compare([REPORTS[1], other])
    assert main(both)[0].baselines == {"band-statistics": 0.45, "random-encoder": 0.35}
    assert any("different figures for band-statistics" in note for note in both.notes)


def test_a_baseline_among_the_methods_is_no_column_twice_and_not_held_against_itself():
    baseline = report("band-statistics", [0.4] * 10, baselines=(), other_head=False)
    both = compare([REPORTS[1], baseline])
    page = Page(comparison_page(both, {}))
    assert [cell.text for cell in page.tables[0].rows[0]] == [
        "search",
        "protocol",
        "xjepa",
        "band-statistics",
        "chance",
        "random-encoder",
    ]
    assert main(both)[0].verdict("band-statistics") == "beats"


def test_the_page_is_well_made_and_marks_the_best_and_what_beats_nothing(page):
    make_sure_well_made(page)
    assert page.loaded == []
    table = page.table("F1@5 (A), each method")
    line = table.line("S1 → S2, paired patch removed", "test")
    assert [cell.attributes["class"] for cell in line[2:5]] == ["fails plain", "fails plain", "beats plain best"]
    assert line[2].text == "✗ 29.0 (27.0 to 31.0), does not beat chance and every baseline"
    assert line[4].text == "46.0 ± 1.0 (44.0 to 48.0), best of the line"
    assert [cell.text for cell in line[5:]] == ["30.0", "40.0", "35.0"]
    assert table.line("S2 → S2", "test")[4].text.startswith("✗ 39.0")


def test_the_page_has_all_other_metrics_the_main_ones_each_by_itself(page):
    captions = [table.caption for table in page.tables]
    assert captions.index("F1@5 (B)") < captions.index("mAP") < captions.index("F1@1 (A)")
    # Partner's ranks are there for searches that keep the pair.
    assert len(page.table("Partner@5").rows) == 3


def test_differences_are_a_matrix_whose_two_halves_mirror_each_other(page):
    table = page.table("F1@5 (A), S1 → S2, paired patch kept (test): the line's method less the column's")
    assert [cell.text for cell in table.line("crjepa")] == [
        "crjepa",
        "+25.0 (+22.0 to +28.0), p < 0.001",
        "+1.0 (-1.0 to +3.0), p 0.400",
        "—",
    ]
    assert [cell.text for cell in table.line("ijepa")] == ["ijepa", "—", "—", "-25.0 (-28.0 to -22.0), p < 0.001"]
    other = page.table("mAP, S1 → S1 (test)")
    assert other.line("xjepa")[1].text == "-2.0 (-4.0 to -0.1), p 0.090"


def test_only_settled_differences_are_bold(comparison):
    html = comparison_page(comparison, {})
    assert html.count("<strong>-25.0</strong>") == html.count("<strong>+25.0</strong>") == 1
    assert "<strong>-1.0" not in html


def test_without_differences_there_is_no_such_section():
    assert "Which differences are settled" not in comparison_page(compare(REPORTS), {})


def test_the_page_says_what_the_correction_spans_and_how_small_p_can_be(page):
    text = " ".join(page.text.split())
    assert "within one search and one metric: here 3 pairs." in text
    assert (
        "At most 9,999 swaps are tried, so that no p is below 0.0001, and the smallest of 3 is at least 0.0003" in text
    )
    assert "standard error below 0.0005" in text


def test_how_the_methods_were_made_is_beside_them(page):
    table = page.table("Size and training")
    assert [cell.text for cell in table.line("crjepa")] == [
        "crjepa", "tiny", "3,319,680", "300", "240", "3", "61", "1,024",
    ]  # fmt: skip


def test_files_hold_lines_with_best_and_verdicts_and_a_chart_a_search(tmp_path):
    made = [replace(one, details=tuple(d for d in one.details if d.search in SEARCHES[2:4])) for one in REPORTS[:2]]
    write_comparison(tmp_path / "c", compare(made))
    assert sorted(os.listdir(tmp_path / "c")) == [
        "01-recall-by-rank-s1-s2-paired-patch-kept-test.png",
        "02-recall-by-rank-s1-s2-paired-patch-removed-test.png",
        "report.html",
        "report.json",
    ]
    fields = json.loads((tmp_path / "c" / "report.json").read_text())
    assert fields["schema"] == "jepa-comparison/1"
    line = next(line for line in fields["lines"] if line["metric"] == "f1_a@5")
    assert line["best"] == ["ijepa"]
    assert line["verdicts"] == {"ijepa": "beats", "xjepa": "beats"}
    assert line["figures"]["xjepa"]["value"] == 0.5
    assert [curve["name"] for curve in fields["curves"][0]["methods"]] == ["ijepa", "xjepa"]
    page = Page((tmp_path / "c" / "report.html").read_text())
    make_sure_well_made(page)
    assert len(page.loaded) == 2


def test_hostile_names_are_shown_and_not_obeyed():
    both = compare([hostile(), replace(hostile(), model=replace(hostile().model, variant="b"))])
    page = Page(comparison_page(both, {}))
    make_sure_well_made(page)
    assert f"v{HOSTILE}" in [cell.text for cell in page.tables[0].rows[0]]
    assert "<script>" not in markdown_comparison(both)


def test_the_main_table_as_markdown(comparison):
    table = markdown_comparison(comparison)
    assert (
        "| S1 → S2, paired patch removed | test | 29.0 (27.0 to 31.0) ✗ | 40.0 (38.0 to 42.0) ✗ "
        "| **46.0** ± 1.0 (44.0 to 48.0) | 30.0 | 40.0 | 35.0 |"
    ) in table
    assert "| crjepa | tiny | 3,319,680 | 300 | 240 | 3 seeds | 61 |" in table
    assert "By ijepa each sensor is described apart" in table
