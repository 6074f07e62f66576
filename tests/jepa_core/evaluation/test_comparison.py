"""On reports written by hand."""

import json
import re
from dataclasses import replace

import pytest

from jepa_core.evaluation.benchmark import Result
from jepa_core.evaluation.comparison import compare, markdown_comparison, notes, write_comparison
from jepa_core.evaluation.report import Report, ReportContext, ReportError

SEARCHES = [
    ("sentinel1", "sentinel1", "self removed"),
    ("sentinel2", "sentinel2", "self removed"),
    ("sentinel1", "sentinel2", "kept"),
    ("sentinel1", "sentinel2", "removed"),
    ("sentinel2", "sentinel1", "kept"),
    ("sentinel2", "sentinel1", "removed"),
]


def report(variant, figures, heads=("same", "cross"), **changes):
    """A report with the figures of what serves, in the order of SEARCHES, chance 0.3 and band statistics 0.4."""
    within, across = heads[0], heads[-1]
    results = [
        Result(query, gallery, pair, within if query == gallery else across, True, 18, 17, figure, 0.3, 0.4)
        for (query, gallery, pair), figure in zip(SEARCHES, figures, strict=True)
    ]
    if len(heads) == 2:
        other = {"same": "cross", "cross": "same"}
        results += [replace(r, head=other[r.head], serves=False, f1_at_5=0.999) for r in results]
    context = ReportContext(variant, variant[0] * 64, "p" * 64, 24, "tiny", 300, 7, 1_234_567, 61.4, "sample")
    return Report(replace(context, **changes), tuple(results))


REPORTS = [
    report("ijepa", [0.52, 0.41, 0.31, 0.29, 0.30, 0.28], ("same",), steps=250),
    report("xjepa", [0.50, 0.41, 0.55, 0.40, 0.47, 0.35], ("cross",), training_seconds=123.6),
    report("crjepa", [0.51, 0.39, 0.56, 0.46, 0.47, 0.41], parameters=3_319_680),
]


def test_a_line_a_search_a_column_a_method_with_the_figures_that_serve():
    comparison = compare(REPORTS)
    assert [(line.query, line.gallery, line.pair) for line in comparison.lines] == SEARCHES
    assert comparison.lines[3].f1_at_5 == {"ijepa": 0.29, "xjepa": 0.40, "crjepa": 0.46}
    assert list(comparison.lines[0].f1_at_5) == ["ijepa", "xjepa", "crjepa"]
    assert all((line.chance, line.band_statistics) == (0.3, 0.4) for line in comparison.lines)


def test_the_best_of_each_line_and_those_that_do_not_beat_the_floor():
    lines = compare(REPORTS).lines
    assert [sorted(line.best) for line in lines] == [
        ["ijepa"],
        ["ijepa", "xjepa"],
        ["crjepa"],
        ["crjepa"],
        ["crjepa", "xjepa"],
        ["crjepa"],
    ]
    # 0.40 is as good as band statistics, which is no better.
    assert [sorted(line.no_better) for line in lines] == [
        [],
        ["crjepa"],
        ["ijepa"],
        ["ijepa", "xjepa"],
        ["ijepa"],
        ["ijepa", "xjepa"],
    ]


def test_reports_of_different_pairs_are_refused_with_whose_is_of_which():
    other = report("mae", [0.5] * 6, ("same",), pairs_version="q" * 64)
    with pytest.raises(ReportError, match=r"different pairs: ijepa's of pppppppppppp, .*, mae's of qqqqqqqqqqqq\."):
        compare([*REPORTS, other])


@pytest.mark.parametrize("change", [{"queries": 17}, {"gallery_size": 18}, {"chance": 0.31}, {"pair": "kept"}])
def test_reports_of_different_searches_are_refused(change):
    broken = report("mae", [0.5] * 6, ("same",))
    results = (replace(broken.results[0], **change), *broken.results[1:])
    with pytest.raises(ReportError, match="ijepa and mae are of different searches"):
        compare([*REPORTS, replace(broken, results=results)])
    with pytest.raises(ReportError, match="ijepa and mae are of different searches"):
        compare([*REPORTS, replace(broken, results=broken.results[:5])])


def test_the_notes_name_the_seed_the_queries_and_the_methods_that_know_one_sensor():
    said = " ".join(notes(compare(REPORTS)))
    assert "One seed a method and 18 queries" in said
    assert "The networks of ijepa know" in said
    assert "at chance" in said
    assert "same size" not in said
    mae = report("mae", [0.5] * 6, ("same",), size="small")
    assert "networks of ijepa and mae know" in notes(compare([*REPORTS, mae]))[2]
    assert "not trained at the same size" in notes(compare([*REPORTS, mae]))[1]
    assert len(notes(compare(REPORTS[1:]))) == 1


def test_the_page_marks_the_best_shows_in_red_what_beats_nothing_and_needs_no_network(tmp_path):
    write_comparison(tmp_path / "c", compare(REPORTS))
    page = (tmp_path / "c" / "report.html").read_text()
    assert "http" not in page
    assert "src=" not in page
    cells = re.findall(r'<td class="([a-z ]*)">([\d.]+)</td>', page)
    assert len(cells) == 18
    assert cells[:6] == [
        ("best ", "52.0"),
        ("", "50.0"),
        ("", "51.0"),
        ("best ", "41.0"),
        ("best ", "41.0"),
        ("worse", "39.0"),
    ]
    rows = re.findall(
        r"<tr><td>(\w+)</td><td>tiny</td><td>([\d,]+)</td><td>(\d+)</td>\s*<td>24</td><td>7</td><td>(\d+)<", page
    )
    assert rows == [
        ("ijepa", "1,234,567", "250", "61"),
        ("xjepa", "1,234,567", "300", "124"),
        ("crjepa", "3,319,680", "300", "61"),
    ]
    for note in notes(compare(REPORTS)):
        assert note in page


def test_the_best_of_a_line_is_marked_though_it_beats_nothing(tmp_path):
    write_comparison(
        tmp_path / "c", compare([report("mae", [0.2] * 6, ("same",)), report("ijepa", [0.1] * 6, ("same",))])
    )
    page = (tmp_path / "c" / "report.html").read_text()
    assert page.count('<td class="best worse">20.0</td>') == page.count('<td class="worse">10.0</td>') == 6


def test_the_json_holds_lines_methods_and_notes(tmp_path):
    write_comparison(tmp_path / "c", compare(REPORTS))
    fields = json.loads((tmp_path / "c" / "report.json").read_text())
    assert fields["lines"][4]["best"] == ["crjepa", "xjepa"]
    assert fields["lines"][4]["f1_at_5"] == {"ijepa": 0.30, "xjepa": 0.47, "crjepa": 0.47}
    assert [method["variant"] for method in fields["methods"]] == ["ijepa", "xjepa", "crjepa"]
    assert fields["methods"][2]["parameters"] == 3_319_680
    assert len(fields["notes"]) == 2


def test_the_same_as_markdown():
    table = markdown_comparison(compare(REPORTS))
    assert "| S1 → S2 | kept | 31.0 † | 55.0 | **56.0** | 30.0 | 40.0 |" in table
    assert "| S2 → S2 | self removed | **41.0** | **41.0** | 39.0 † | 30.0 | 40.0 |" in table
    assert "| crjepa | tiny | 3,319,680 | 300 | 24 | 7 | 61 |" in table
    assert "The networks of ijepa know" in table
