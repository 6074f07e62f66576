from dataclasses import replace

import pytest

from jepa_core.evaluation.published import PUBLISHED, beside, published
from jepa_core.evaluation.published_table import published_tables
from jepa_core.evaluation.report_page import report_page
from tests.jepa_core.evaluation.made_reports import report, single_sensor
from tests.jepa_core.evaluation.pages import Page


def value(data, query, gallery, metric, method):
    (row,) = [
        row
        for row in published(data)
        if (row.query, row.gallery, row.metric, row.method) == (query, gallery, metric, method)
    ]
    return row.value


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("ben14k", "sentinel1", "sentinel1", "f1_a@5", "REJEPA"), 0.7638),
        (("ben14k", "sentinel2", "sentinel2", "f1_a@5", "X-JEPA"), 0.8265),
        (("ben14k", "sentinel1", "sentinel2", "f1_a@5", "CR-JEPA"), 0.7582),
        (("ben14k", "sentinel2", "sentinel1", "f1_a@5", "CR-JEPA"), 0.7540),
        (("ben14k", "sentinel2", "sentinel1", "f1_a@5", "CR-JEPA, 5 seeds"), 0.7546),
        (("cbrsir-vs", "rgb", "rgb", "map", "CR-JEPA"), 0.8694),
        (("cbrsir-vs", "rgb", "sar", "precision@5", "X-JEPA"), 0.7441),
        (("cbrsir-vs", "sar", "rgb", "map", "MAE"), 0.5337),
        (("dsrsid", "pan", "ms", "map", "CR-JEPA"), 0.7215),
        (("dsrsid", "ms", "pan", "precision@5", "SatMAE++"), 0.6729),
        (("dsrsid", "ms", "ms", "precision@5", "CR-JEPA"), 0.7913),
        (("fmow-rgb", "rgb", "rgb", "f1_a@5", "REJEPA"), 0.7353),
        (("fmow-sentinel", "sentinel2", "sentinel2", "f1_a@5", "Scale-MAE"), 0.6956),
    ],
)
def test_figures_stand_where_the_papers_have_them(place, expected):
    assert value(*place) == pytest.approx(expected, abs=1e-9)


def test_every_row_is_a_share_with_its_source_and_what_is_not_known():
    assert len(PUBLISHED) == 12 * 4 + 1 + 4 + 2 * 5 * 8 + 4
    assert all(0.3 < row.value < 1 and row.source and row.uncertain for row in PUBLISHED)
    assert [row.spread for row in published("ben14k") if row.spread] == [0.0032, 0.0013, 0.0054, 0.0051]


def test_a_missing_cell_of_a_table_is_no_row():
    assert [row.query for row in published("ben14k") if row.method == "ScaleMAE"] == ["sentinel1"]


def test_rows_stand_beside_the_set_that_they_are_of_and_beside_one_that_readers_take_for_it():
    assert beside(report()).other_set == ""
    assert len(beside(report()).rows) == 53
    other = beside(report(name="ben-v2"))
    assert (other.other_set, len(other.rows)) == ("ben14k", 53)
    assert beside(single_sensor()).rows == ()


def test_the_sample_is_compared_with_nothing():
    made = report(name="ben-v2")
    assert beside(replace(made, data=replace(made.data, archive="sample"))).rows == ()


def test_sensors_go_by_the_part_of_their_name_that_says_what_they_are():
    rows = beside(report(name="cbrsir-vs", sensors=("optical_rgb", "sar"))).rows
    assert len(rows) == 40
    assert {row.query for row in rows} == {"optical_rgb", "sar"}
    (table, _) = published_tables(report(name="cbrsir-vs", sensors=("optical_rgb", "sar")))
    assert table.directions == ("optical rgb → optical rgb", "sar → sar", "optical rgb → sar", "sar → optical rgb")


def test_the_page_shows_our_protocols_above_the_papers_lines_and_warns():
    page = Page(report_page(report(), {}))
    table = page.table("F1@5 (A) in percent")
    assert [cell.text for cell in table.rows[0]] == ["method", "S1 → S1", "S2 → S2", "S1 → S2", "S2 → S1", "source"]
    assert [[cell.text for cell in row[:5]] for row in table.rows[1:4]] == [
        ["this report, test among test, paired patch kept", "50.0", "51.0", "52.0", "54.0"],
        ["this report, test among test, paired patch removed", "50.0", "51.0", "53.0", "55.0"],
        ["this report, validation asks test", "56.0", "59.0", "57.0", "58.0"],
    ]
    assert [cell.text for cell in table.line("CR-JEPA")][1:5] == ["75.1", "82.9", "75.8", "75.4"]
    assert table.line("CR-JEPA, 5 seeds")[3].text == "75.8 ± 0.5"
    assert [cell.text for cell in table.line("ScaleMAE")][1:5] == ["62.7", "—", "—", "—"]
    assert "may differ from ours" in page.text
    assert "another set" not in page.text
    assert "most probably definition A" in page.text


def test_rows_of_another_set_are_marked_as_such():
    text = Page(report_page(report(name="ben-v2"), {})).text
    assert "These lines are of another set, ben14k" in text


def test_a_set_of_one_sensor_has_one_line_of_ours_a_protocol():
    made = report("ijepa", [0.55, 0.52], sensors=("optical_rgb",), name="fmow-rgb", other_head=False, heads=("same",))
    (table,) = published_tables(made)
    assert table.ours == (("this report, test among test", ("55.0",)), ("this report, validation asks test", ("52.0",)))
    assert [line[:2] for line in table.theirs] == [("Scale-MAE", ("64.3",)), ("REJEPA", ("73.5",))]
