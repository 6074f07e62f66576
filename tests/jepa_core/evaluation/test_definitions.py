import numpy as np
import pytest

from jepa_core.evaluation import metrics
from jepa_core.evaluation.definitions import MAIN_METRICS, PAIRS, PROTOCOLS, RULES, definition, described
from jepa_core.evaluation.results import Search
from jepa_core.evaluation.verdict import verdict
from jepa_core.evaluation.wording import file_stem, full_label, listed
from tests.jepa_core.evaluation.made_reports import METRICS, PARTNER, TWO, figure, searches


@pytest.mark.parametrize("metric", [*METRICS, *PARTNER])
def test_every_metric_has_a_title_with_its_k_and_words(metric):
    found = definition(metric)
    _, _, k = metric.partition("@")
    assert f"@{k}" in found.title or not k
    assert "@k" not in found.title
    assert len(found.words) > 40


def test_titles_tell_all_metrics_apart():
    titles = [definition(metric).title for metric in (*METRICS, *PARTNER)]
    assert len(set(titles)) == len(titles)
    assert set(MAIN_METRICS) <= {*METRICS, *PARTNER}


def test_only_ranks_are_better_when_lower_and_printed_as_they_are():
    assert [metric for metric in (*METRICS, *PARTNER) if not definition(metric).higher_is_better] == [PARTNER[3]]
    assert definition(PARTNER[3]).text(12.0) == "12.0"
    assert definition(PARTNER[3]).better(2, 3)
    assert definition("map@10").text(0.1234) == "12.3"
    assert definition("map").better(0.3, 0.2)


def test_a_metric_that_nobody_described_keeps_its_name():
    assert definition("hit_rate@3").title == "hit_rate@3"
    assert definition("map").words != definition("map@5").words


def test_metrics_that_differ_in_k_only_are_described_once():
    assert [one.title for one in described([*METRICS, *PARTNER])] == [
        "F1@k (A)",
        "F1@k (B)",
        "F1@k (C)",
        "P@k",
        "Recall@k",
        "mAP@k",
        "nDCG@k",
        "mAP",
        "R-precision",
        "Partner@k",
        "Partner's median rank",
    ]


def test_all_protocols_and_what_becomes_of_pairs_are_in_words():
    for search in searches(TWO):
        assert len(PROTOCOLS[search.protocol]) > 20
        assert len(PAIRS[search.pair]) > 20


def test_denominators_gains_and_what_is_left_out_are_in_words():
    assert "divided by min(R, k)" in definition("map@5").words
    for part in ("number of labels that it shares", "log2(rank + 1)", "ideal order"):
        assert part in definition("ndcg@10").words
    said = " ".join(RULES.values())
    for part in ("k exceeds", "Left out of recall, mAP, R-precision and nDCG", "drawn at random"):
        assert part in said


def test_the_three_f1_come_in_the_order_that_their_words_claim():
    # A is the mean of F1 by hit, C of F1 of means by query, B one F1 of the means over all.
    rng = np.random.default_rng(3)
    query, hits = rng.random((40, 12)) < 0.25, rng.random((40, 5, 12)) < 0.25
    query[:, 0] = hits[:, :, 0] = True
    common = (query[:, None] & hits).sum(axis=2)
    precision, recall = common / hits.sum(axis=2), common / query.sum(axis=1)[:, None]

    def f1(p, r):
        return 2 * p * r / (p + r)

    a = f1(precision, recall).mean()
    c = f1(precision.mean(axis=1), recall.mean(axis=1)).mean()
    b = f1(precision.mean(), recall.mean())
    assert a < c < b


@pytest.mark.parametrize(
    ("value", "rivals", "worth"),
    [
        (0.5, {}, "beats"),
        (0.5, {"statistics": 0.4}, "beats"),
        (0.5, {"statistics": 0.49}, "unsettled"),
        (0.5, {"statistics": 0.48}, "unsettled"),
        (0.5, {"statistics": 0.5}, "fails"),
        (0.5, {"statistics": 0.4, "untrained": 0.6}, "fails"),
        (0.3, {}, "fails"),
        (0.31, {}, "unsettled"),
    ],
)
def test_a_figure_must_beat_chance_and_every_baseline_with_its_interval(value, rivals, worth):
    assert verdict(figure("f1_a@5", value, chance=0.3, half=0.02), rivals) == worth


@pytest.mark.parametrize(("value", "worth"), [(3.0, "beats"), (9.0, "unsettled"), (11.0, "fails")])
def test_a_rank_must_lie_below(value, worth):
    assert verdict(figure("partner_median_rank", value, chance=60.5, half=2.0), {"statistics": 10.0}) == worth


def test_searches_have_names_for_people_and_for_files():
    search = Search("val to test", "sentinel1", "optical_rgb", "apart")
    assert full_label(search) == "S1 → optical rgb (val to test)"
    assert file_stem(search) == "val-to-test-sentinel1-optical_rgb-apart"
    assert len({file_stem(search) for search in searches(TWO)}) == 10
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_every_metric_has_words_and_the_best_direction_of_its_statistic():
    for name, metric in metrics.METRICS.items():
        found = definition(name)
        assert found.words != "Not described."
        ranks = metric.statistic == "median"
        assert (found.share, found.higher_is_better) == (not ranks, not ranks)
    assert set(MAIN_METRICS) <= set(metrics.METRICS)
