import json

import pytest

from jepa_core.errors import JepaError
from jepa_core.evaluation.gate import gate, read_reference, reference_of, write_reference
from jepa_core.evaluation.report_json import ReportError
from tests.jepa_core.evaluation.made_reports import report

VALUES = [0.62, 0.71, 0.55, 0.41, 0.58, 0.39, 0.60, 0.70, 0.50, 0.52]


@pytest.fixture
def path(tmp_path):
    write_reference(tmp_path / "reference.json", report(values=VALUES))
    return tmp_path / "reference.json"


def test_the_reference_holds_the_main_figures_of_what_serves(path):
    found = read_reference(path)
    assert found == reference_of(report(values=VALUES))
    assert len(found.figures) == 10 * 2
    assert [(f.metric, f.value) for f in found.figures[:2]] == [("f1_a@5", 0.62), ("map", pytest.approx(0.648))]
    assert json.loads(path.read_text())["schema"] == "jepa-reference/1"


def test_a_report_passes_against_itself_and_against_what_its_intervals_reach(path):
    outcome = gate(report(values=VALUES), read_reference(path))
    assert outcome.passed
    assert outcome.message == "of 20 main figures none fell"
    # Intervals are 0.02 to each side.
    assert gate(report(values=[v - 0.019 for v in VALUES]), read_reference(path)).passed
    assert gate(report(values=[v + 0.2 for v in VALUES]), read_reference(path)).passed


def test_figures_whose_interval_lies_below_fell(path):
    lower = [0.55, *VALUES[1:]]
    outcome = gate(report(values=lower), read_reference(path))
    assert outcome.comparable
    assert not outcome.passed
    assert outcome.fallen == (
        "F1@5 (A) of S1 → S1 (test) fell from 62.0 to 55.0 (53.0 to 57.0)",
        "mAP of S1 → S1 (test) fell from 64.8 to 57.8 (55.8 to 59.8)",
    )
    assert outcome.message == "of 20 main figures 2 fell"


def test_a_search_that_is_gone_has_fallen(path):
    made = report("crjepa", VALUES[:1] + VALUES[6:7], sensors=("sentinel1",))
    outcome = gate(made, read_reference(path))
    assert len(outcome.fallen) == 16
    assert "F1@5 (A) of S2 → S2 (test) is not in the report; the reference has 71.0" in outcome.fallen


def test_other_data_and_other_methods_are_not_comparable(path):
    reference = read_reference(path)
    other = gate(report(values=[0.1] * 10, name="ben-v2"), reference)
    assert (other.comparable, other.passed, other.fallen) == (False, False, ())
    assert other.message == (
        "not comparable: the report is of the data ben-v2 dddddddddddd, the reference of ben14k dddddddddddd"
    )
    assert "of the method mae, the reference of crjepa" in gate(report("mae"), reference).message


def test_missing_old_and_damaged_references_are_plain_errors(tmp_path):
    path = tmp_path / "reference.json"
    with pytest.raises(ReportError, match="no reference at"):
        read_reference(path)
    for written, said in (
        ({"figures": []}, "no reference of this version's form"),
        ({"schema": "jepa-reference/1"}, "damaged"),
    ):
        path.write_text(json.dumps(written))
        with pytest.raises(ReportError, match=said):
            read_reference(path)
    path.write_text("{")
    with pytest.raises(JepaError, match="not readable JSON"):
        read_reference(path)


def test_no_number_is_no_reference(tmp_path):
    with pytest.raises(ReportError, match="not finite"):
        write_reference(tmp_path / "r.json", report(values=[float("nan")] * 10))
