"""What every metric and every protocol is, in words; and how a metric's figures are printed."""

from dataclasses import dataclass

MAIN_METRIC = "f1_a@5"
"""The one that searches are judged by where there is room for one only."""

WATCHED_METRICS = (MAIN_METRIC, "map")
"""Those whose fall is noticed and whose differences between methods are tested. More is better for all."""

MAIN_METRICS = (
    MAIN_METRIC,
    "f1_b@5",
    "f1_c@5",
    "precision@5",
    "map",
    "r_precision",
    "ndcg@10",
    "partner_recall@1",
    "partner_recall@5",
    "partner_recall@10",
    "partner_median_rank",
)
"""Those that are shown at once; the others are a click away."""


@dataclass(frozen=True)
class Definition:
    """One metric."""

    title: str
    """As tables print it."""

    words: str
    """What it is, for a reader who has never met it."""

    higher_is_better: bool = True
    """Whether more is better."""

    share: bool = True
    """Whether it lies from 0 to 1 and is printed in percent; ranks are printed as they are."""

    def better(self, one: float, other: float) -> bool:
        """Whether one figure is better than another."""
        return one > other if self.higher_is_better else one < other

    def text(self, value: float) -> str:
        """A figure as tables print it: one decimal, shares in percent."""
        return f"{100 * value if self.share else value:.1f}"


_RELEVANT = "A patch is relevant to a query when the two share a class."

_FAMILIES = {
    "f1_a": Definition(
        "F1@k (A)",
        "Definition A, CR-JEPA's (supplement S3): the F1 of the query's and the hit's label sets, averaged over the k "
        "nearest hits, then over queries. The main figure here. With one class a patch it equals P@k.",
    ),
    "f1_b": Definition(
        "F1@k (B)",
        "Definition B, that of CSMAE's published code: precision and recall of the label sets are averaged over the k "
        "nearest hits and over all queries, and one F1 is taken of the two means. Never lower than C.",
    ),
    "f1_c": Definition(
        "F1@k (C)",
        "Definition C, DX-JEPA's: precision and recall are averaged over the k nearest hits of a query, F1 is taken "
        "of the two means, then averaged over queries. Never lower than A.",
    ),
    "precision": Definition(
        "P@k", f"Share of the k nearest hits that are relevant, averaged over queries. {_RELEVANT}"
    ),
    "recall": Definition("Recall@k", f"Share of all relevant patches that are among the k nearest. {_RELEVANT}"),
    "map@": Definition(
        "mAP@k",
        "Mean average precision of the k nearest hits: the precisions at the ranks of the relevant ones are summed and "
        "divided by min(R, k), where R is the number of relevant patches to find, then averaged over queries. "
        f"{_RELEVANT}",
    ),
    "ndcg": Definition(
        "nDCG@k",
        "Normalised discounted cumulative gain: a hit's gain is the number of labels that it shares with the query, "
        "divided by log2(rank + 1); the sum over the k nearest is divided by that of the ideal order, the patches with "
        "most shared labels first, and averaged over queries.",
    ),
    "map": Definition(
        "mAP",
        "Mean average precision over the whole gallery: the precision at the rank of each relevant patch, averaged "
        f"over the relevant patches, then over queries. {_RELEVANT}",
    ),
    "r_precision": Definition(
        "R-precision",
        f"Precision among as many hits as the gallery has relevant patches, averaged over queries. {_RELEVANT}",
    ),
    "partner_recall": Definition(
        "Partner@k",
        "Share of queries whose own paired patch, the same place by the other sensor, is among the k nearest.",
    ),
    "partner_median_rank": Definition(
        "Partner's median rank",
        "Rank at which the query's own paired patch is found, median over queries. Lower is better; 1 is best.",
        higher_is_better=False,
        share=False,
    ),
}

PROTOCOLS = {
    "test": "Queries and gallery are both the test split.",
    "val to test": "Validation patches ask, the test split is searched: no query is in the gallery (CSMAE's code).",
    "test to rest": "Test patches ask, the training and validation splits are searched: an archive that the method was "
    "trained on, met by new queries.",
}
"""By name, in words."""

PAIRS = {
    "self removed": "The query itself is in the gallery and is taken out of its own answer.",
    "kept": "The query's paired patch, of the same place and with the same labels, stays in the gallery and may be "
    "found: a free hit, as CR-JEPA's and X-JEPA's tables most probably count it.",
    "removed": "The query's paired patch is taken out of its answer: what is found are other places.",
    "apart": "Queries and gallery are of different splits, so that there is nothing to take out.",
}
"""By what becomes of the query's pair, in words."""


RULES = {
    "Small galleries": "Where k exceeds the patches that a query can find, all of these are taken, and means are over "
    "them.",
    "Queries without a relevant patch to find": "Left out of recall, mAP, R-precision and nDCG, which are undefined "
    "for them; in F1 and P@k they count.",
    "Equal cosines": "Found in the order of the gallery, which is drawn at random, the same for all methods: no class "
    "profits from where its patches stand in the set.",
}
"""How rankings are read, whatever the metric."""

_FLOOR = "The expected figure of a random ranking of the same gallery."

_SIMULATED = (
    "Patches have several labels here, for which F1 (B), and F1 (C) at k above 1, have no closed form: these floors "
    "are means of simulated rankings with a standard error below 0.0005 (0.05 points). All others are computed exactly."
)


def chance_words(multi_label: bool) -> str:
    """What the column of chance holds, on a set whose patches may have several labels or not."""
    return f"{_FLOOR} {_SIMULATED}" if multi_label else _FLOOR


def definition(metric: str) -> Definition:
    """What a metric is.

    A metric that nobody described keeps its name as title: a report that took hours is still written.

    Args:
        metric: its name, such as `f1_a@5` or `map`.
    """
    stem, _, k = metric.partition("@")
    found = _FAMILIES.get(f"{stem}@") if k else None
    found = found or _FAMILIES.get(stem)
    if found is None:
        return Definition(metric, "Not described.")
    if not k:
        return found
    return Definition(found.title.replace("@k", f"@{k}"), found.words, found.higher_is_better, found.share)


def described(metrics: list[str]) -> list[Definition]:
    """One definition a family of metrics that differ in k only, in the order of the metrics."""
    found = [definition(f"{metric.partition('@')[0]}@k" if "@" in metric else metric) for metric in metrics]
    return list(dict.fromkeys(found))
