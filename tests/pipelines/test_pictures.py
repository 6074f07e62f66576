from jepa_core.evaluation.comparison import compare
from jepa_core.evaluation.comparison_page import write_comparison
from pipelines.assets.benchmarks import shown_pictures
from tests.jepa_core.evaluation.made_reports import report


def test_the_asset_of_the_comparison_finds_its_pictures(tmp_path):
    write_comparison(tmp_path / "c", compare([report("xjepa"), report("crjepa")]))
    found = shown_pictures(tmp_path / "c", ("recall-by-rank",))
    assert len(found) == 10
    assert next(iter(found)) == "recall_by_rank_s1_s1_test"
