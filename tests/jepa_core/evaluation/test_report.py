"""On reports made by hand."""

import base64
import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from jepa_core.errors import JepaError
from jepa_core.evaluation import summary
from jepa_core.evaluation.markdown import markdown_report
from jepa_core.evaluation.report import read_queries, read_report, write_report
from jepa_core.evaluation.report_json import ReportError, report_schema, to_json
from jepa_core.evaluation.report_page import report_page
from jepa_core.evaluation.results import Search
from jepa_core.evaluation.wording import file_stem
from jepa_core.pictures import png
from tests.jepa_core.evaluation.made_reports import HOSTILE, hostile, report, result, single_sensor
from tests.jepa_core.evaluation.pages import Page, make_sure_well_made
from tests.jepa_core.evaluation.schemas import errors

VALUES = [0.62, 0.71, 0.55, 0.41, 0.58, 0.39, 0.60, 0.70, 0.50, 0.52]
"""In the order of the searches: the fourth is within its interval of the best baseline, 0.40, the sixth below it."""

REPORTS = {
    "several seeds": report(values=VALUES, seeds=(0, 1, 2)),
    "one sensor": single_sensor(),
    "hostile names": hostile(),
    "a baseline itself": report("band-statistics", baselines=(), seeds=(), models=("b" * 64,), train_rows=0, steps=0),
}


@cache
def _page():
    return Page(report_page(REPORTS["several seeds"], {}))


@pytest.fixture(scope="module")
def picture():
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    return png(figure)


@pytest.mark.parametrize("name", REPORTS)
def test_what_was_written_is_read_and_keeps_to_the_schema(name, tmp_path):
    write_report(tmp_path / "r", REPORTS[name], {}, {})
    found = read_report(tmp_path / "r")
    # Tuples within the free records come back as lists, and there are none in these.
    assert found == REPORTS[name]
    fields = json.loads((tmp_path / "r" / "report.json").read_text())
    schema = report_schema()
    assert errors(fields, schema, schema) == []


def test_the_committed_schema_is_that_of_the_records():
    committed = Path(__file__).parents[3] / "docs" / "benchmark-report.schema.json"
    assert json.loads(committed.read_text()) == report_schema(), (
        "docs/benchmark-report.schema.json is behind the records: write report_schema() to it, and raise SCHEMA if a "
        "reader of the last version would read the new one wrongly"
    )


def test_the_schema_refuses_what_is_missing_of_another_kind_or_unknown():
    schema, fields = report_schema(), json.loads(json.dumps(to_json(REPORTS["one sensor"])))
    assert errors({**fields, "more": 1}, schema, schema) == ["$.more"]
    assert errors({**fields, "schema": "jepa-benchmark/0"}, schema, schema) == ["$.schema"]
    fields["results"][0]["figures"][0]["value"] = "0.5"
    del fields["data"]["version"]
    found = errors(fields, schema, schema)
    assert sorted(found) == ["$.data.version", "$.results.0.figures.0.value"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_figures_that_are_no_numbers_are_refused_and_leave_the_old_report(value, tmp_path):
    good = REPORTS["one sensor"]
    write_report(tmp_path / "r", good, {}, {})
    bad = replace(good, results=(result(good.results[0].search, value), *good.results[1:]))
    with pytest.raises(ReportError, match=r"cannot be written: results.0.figures.0.value is not a finite number"):
        write_report(tmp_path / "r", bad, {}, {})
    with pytest.raises(ReportError, match=r"model.config.rate.1 is not"):
        to_json(replace(good, model=replace(good.model, config={"rate": (1.0, value)})))
    assert read_report(tmp_path / "r") == good


def test_missing_old_and_damaged_reports_are_plain_errors(tmp_path):
    with pytest.raises(ReportError, match="no report at"):
        read_report(tmp_path)
    path = tmp_path / "report.json"
    fields = to_json(REPORTS["one sensor"])
    for written, said in (
        ({"context": {}, "results": []}, "not of this version's form, and jepa-benchmark/1 is needed"),
        ([1], "not of this version's form"),
        ({**fields, "schema": "jepa-benchmark/0"}, r"of another version of this code \(jepa-benchmark/0\)"),
        ({**fields, "model": {}}, r"damaged at model"),
        ({**fields, "surroundings": {**fields["surroundings"], "seconds": float("nan")}}, "seconds is not a finite"),
    ):
        path.write_text(json.dumps(written))
        with pytest.raises(ReportError, match=said):
            read_report(tmp_path)
    path.write_text('{"schema": ')
    with pytest.raises(JepaError, match="not readable JSON"):
        read_report(tmp_path)


def test_values_of_single_queries_and_pictures_lie_beside_the_report(tmp_path, picture):
    search = Search("val to test", "sentinel1", "sentinel2", "apart")
    table = pd.DataFrame({"id": ["a", "b"], "f1_a@5": [0.25, 1.0], "seed": [0, 0]})
    write_report(tmp_path / "r", REPORTS["one sensor"], {file_stem(search): table}, {"A → B, <best>": picture})
    assert sorted(os.listdir(tmp_path / "r")) == [
        "01-a-b-best.png",
        "report.html",
        "report.json",
        "val-to-test-sentinel1-sentinel2-apart.parquet",
    ]
    assert (tmp_path / "r" / "01-a-b-best.png").read_bytes() == picture
    pd.testing.assert_frame_equal(read_queries(tmp_path / "r", search), table)
    with pytest.raises(ReportError, match="no values of single queries"):
        read_queries(tmp_path / "r", replace(search, pair="kept"))
    with pytest.raises(ValueError, match="no plain file name"):
        write_report(tmp_path / "r", REPORTS["one sensor"], {"../out": table}, {})


@pytest.mark.parametrize("name", REPORTS)
def test_pages_are_well_made_load_nothing_and_show_their_pictures(name, picture, tmp_path):
    html = report_page(REPORTS[name], {"Best queries": picture})
    page = Page(html)
    make_sure_well_made(page)
    assert len(page.loaded) == 1
    embedded = base64.b64decode(page.loaded[0].partition(",")[2])
    (tmp_path / "p.png").write_bytes(embedded)
    assert imread(tmp_path / "p.png").ndim == 3
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_the_overview_holds_the_main_figures_and_marks_what_they_are_worth():
    page = _page()
    table = page.table("F1@5 (A) with the descriptors that serve")
    assert [cell.text for cell in table.rows[0]] == [
        "search",
        "protocol",
        "figure (95 % interval)",
        "chance",
        "band-statistics",
        "random-encoder",
    ]
    assert len(table.rows) == 11
    marks = [row[2].attributes["class"] for row in table.rows[1:]]
    assert marks == ["beats", "beats", "beats", "unsettled", "beats", "fails", "beats", "beats", "beats", "beats"]
    fails = table.line("S2 → S1, paired patch removed")
    assert fails[2].text.startswith("✗ 39.0 ± 1.0 (37.0 to 41.0), does not beat chance and every baseline")
    assert [cell.text for cell in fails[3:]] == ["30.0", "40.0", "35.0"]
    assert table.line("S1 → S2, paired patch removed")[2].text.startswith("≈ 41.0")
    assert table.line("S1 → S1")[2].text == "62.0 ± 1.0 (60.0 to 64.0)"


def test_each_search_has_its_main_metrics_at_once_and_all_of_them_a_click_away():
    page = _page()
    main = page.table("S1 → S2, paired patch kept, test: 120 queries, 120 patches to choose from")
    assert [row[0].text for row in main.rows[1:]] == [
        "F1@5 (A)",
        "F1@5 (B)",
        "F1@5 (C)",
        "P@5",
        "mAP",
        "R-precision",
        "nDCG@10",
        "Partner@1",
        "Partner@5",
        "Partner@10",
        "Partner's median rank",
    ]
    assert main.line("F1@5 (B)")[1].text == "58.0 ± 1.0 (56.0 to 60.0)"
    every = page.table("S1 → S2, paired patch kept, test: all metrics")
    assert len(every.rows) == 1 + 7 * 4 + 2 + 4
    assert every.line("F1@20 (C)")[1].text.startswith("56.5")
    # A rank of 3 is far better than chance's 60.5, and printed as it is; the baselines' is 3 as well.
    rank = main.line("Partner's median rank")
    assert rank[1].text.startswith("✗ 3.0 ± 0.0 (2.0 to 5.0)")
    assert rank[2].text == "60.5"


def test_the_other_kind_of_descriptor_is_in_a_section_of_its_own_and_absent_where_there_is_one_kind():
    assert "The other kind of descriptor" in _page().text
    # Ten searches by two kinds, each with main and all metrics; overview, classification, published rows, cost.
    assert len(_page().tables) == 10 * 2 * 2 + 4
    assert "The other kind of descriptor" not in report_page(REPORTS["one sensor"], {})


def test_classification_has_its_seeds_and_a_red_mark_where_chance_is_as_good():
    table = _page().table("Trained on the training split")
    knn, probe = table.rows[1:]
    assert [cell.text for cell in knn] == [
        "sentinel1", "same", "k-NN", "100 %", "240", "120", "micro mAP", "61.0 ± 0.0", "30.0", "50.0", "45.0",
    ]  # fmt: skip
    assert knn[7].attributes["class"] == "beats"
    assert probe[7].attributes["class"] == "fails"
    assert probe[7].text == "✗ 20.0, does not beat chance and every baseline"
    # Better than chance, and yet no better than one baseline.
    beaten = report(seeds=(0, 1, 2), baselines=(("band-statistics", 0.51), ("random-encoder", 0.35)))
    knn = Page(report_page(beaten, {})).table("Trained on the training split").rows[1]
    assert (knn[7].attributes["class"], knn[9].text) == ("fails", "61.0")
    assert "Labels predicted" not in report_page(REPORTS["one sensor"], {})


def test_a_report_without_baselines_names_none():
    alone, beside = report_page(REPORTS["a baseline itself"], {}), report_page(REPORTS["several seeds"], {})
    for words in ("every baseline", "one of the baselines", "all baselines"):
        assert words not in alone
    assert "every baseline" not in report_page(report("band-statistics", [0.2] * 10, baselines=()), {})
    assert "one of the baselines" in beside
    assert "than each baseline's figure, taken as a point" in " ".join(beside.split())
    assert "a baseline" not in markdown_report(REPORTS["a baseline itself"]).partition("searches")[2]


def test_the_page_says_which_floors_are_simulated_where_some_are():
    assert "standard error below 0.0005" in _page().text
    assert "standard error" not in report_page(REPORTS["one sensor"], {})


def test_queries_that_can_find_nothing_are_counted_on_the_page():
    made = REPORTS["one sensor"]
    results = (replace(made.results[0], unanswerable=7), *made.results[1:])
    page = Page(report_page(replace(made, results=results), {}))
    assert sum("7 of them without a relevant patch to find" in table.caption for table in page.tables) == 1
    assert "without a relevant patch to find," not in _page().text
    for rule in ("all of these are taken", "Left out of recall, mAP, R-precision and nDCG", "drawn at random"):
        assert rule in page.text


def test_what_was_not_trained_here_has_no_training_in_its_costs():
    assert "0 steps on 0 rows" not in report_page(REPORTS["a baseline itself"], {})
    assert (
        "a model of the user's, its training not known here"
        in Page(report_page(report("onnx:m.onnx"), {})).text.partition("What it costs")[2]
    )


def test_hostile_names_are_shown_and_not_obeyed():
    page = Page(report_page(REPORTS["hostile names"], {f"caption {HOSTILE}": b"\x89PNG"}))
    assert page.text.count(HOSTILE) > 20
    markdown = markdown_report(REPORTS["hostile names"])
    assert "<script>" not in markdown
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1


def test_the_page_says_how_the_figures_came_about():
    text = _page().text
    for part in (
        "d" * 64,
        "crjepa2" * 8,
        "3,319,680",
        '"optimiser": "AdamW"',
        '"width": 192',
        "torch 2.15",
        "/data/some/archive",
        "Made up. No licence.",
        "train 240 (240), val 110 (110), test 120 (120)",
        "300 steps on 240 rows, 61 s a seed",
        "Definition A, CR-JEPA's",
        "Definition B, that of CSMAE's published code",
        "Definition C, DX-JEPA's",
        "free hit",
    ):
        assert part in text, part
    cost = _page().table("Describing one image")
    assert [cell.text for cell in cost.rows[1]] == ["sentinel1", "1.25", "4.20"]


def test_what_cannot_be_known_is_said():
    made = REPORTS["one sensor"]
    cost = replace(made.model.cost, parameters=None, flops_per_image=None)
    page = Page(report_page(replace(made, model=replace(made.model, cost=cost)), {}))
    assert [cell.text for cell in page.table("Describing one image").rows[1]] == ["optical_rgb", "not known", "4.20"]


def test_the_summary_says_what_on_what_how_good_and_whether_that_is_anything():
    made = REPORTS["several seeds"]
    assert summary.what(made) == (
        "crjepa (trained on 240 rows, 300 steps, 3 seeds) searches ben14k: S1 and S2, 19 classes, several a patch."
    )
    assert summary.main_sentence(made) == (
        "S1 → S2, paired patch removed (test): F1@5 (A) is 41.0 % ± 1.0 over 3 seeds (95 % interval 39.0 to 43.0); a "
        "random ranking gives 30.0 %, the best baseline, band-statistics, 40.0 %: better than chance and every "
        "baseline, but its interval reaches one of them."
    )
    main, _, whole = summary.verdict_sentence(made).partition(" By mAP ")
    assert main == (
        "By F1@5 (A) it beats chance and every baseline in 8 of 10 searches; in 1 it is ahead by less than its "
        "interval (≈); in 1 it is not ahead (✗)."
    )
    assert whole.startswith("it beats chance and every baseline in ")
    assert summary.main_sentence(REPORTS["one sensor"]).startswith(
        "optical rgb → optical rgb (test): F1@5 (A) is 55.0 %"
    )
    alone = REPORTS["a baseline itself"]
    assert summary.main_sentence(alone).endswith("a random ranking gives 30.0 %: beats chance.")
    assert summary.what(alone).startswith("band-statistics (a baseline) searches")


def test_readers_are_warned_of_the_sample_of_one_seed_and_of_methods_that_know_one_sensor():
    one = summary.warnings(report("mae", heads=("same",), other_head=False))
    assert [said.split(":")[0] for said in one] == [
        "mae knows one sensor at a time",
        "One seed",
        "Splits are of our making.",
    ]
    users = report("timm:croma", heads=("same",), other_head=False, train_rows=0, steps=0)
    assert summary.warnings(users) == ["Splits are of our making."]
    assert summary.what(users).startswith("timm:croma (a model of the user's, its training not known here) searches")
    drawn = summary.warnings(report("random-encoder", heads=("same",), other_head=False, baselines=()))
    assert drawn[0].startswith("random-encoder knows one sensor at a time")
    assert drawn[1] == "One seed: the intervals are over queries, and another draw would give other figures."
    assert summary.warnings(report("pca", baselines=())) == ["Splits are of our making."]
    several = summary.warnings(REPORTS["several seeds"])
    assert several == ["Splits are of our making."]
    made = REPORTS["several seeds"]
    sample = summary.warnings(replace(made, data=replace(made.data, archive="sample")))
    assert sample[0].startswith("The sample has 120 test queries. These figures prove that the chain runs")


def test_the_main_table_as_markdown():
    table = markdown_report(REPORTS["several seeds"])
    assert "| S2 → S1, paired patch removed | test | 120 | 39.0 ± 1.0 (37.0 to 41.0) ✗ | 30.0 | 40.0 | 35.0 |" in table
    assert summary.verdict_sentence(REPORTS["several seeds"]) in table


def test_figures_of_all_sizes_keep_their_digits(tmp_path):
    made = report(values=list(np.linspace(1e-9, 1, 10)))
    write_report(tmp_path / "r", made, {}, {})
    assert read_report(tmp_path / "r") == made
