"""The metrics again, by loops over Python sets, from their definitions alone."""

import math

import numpy as np

KS = (1, 5, 10, 20)


def sets(rows):
    return [set(np.flatnonzero(row)) for row in rows]


def harmonic(a, b):
    return 2 * a * b / (a + b) if a + b else 0.0


def slow_order(task, query):
    """Allowed gallery rows, nearest first."""
    rows = [row for row in range(len(task.gallery)) if row != task.left_out[query]]
    wide = task.queries[query].astype(float)
    cosine = {row: round(math.fsum(wide * task.gallery[row].astype(float)) * 2**30) for row in rows}
    return sorted(rows, key=lambda row: (-cosine[row], row))


def slow_query(q, ranked, partner_at=None):
    """Values of one query.

    q: its label set. ranked: those of the gallery, nearest first. partner_at: index of its partner among them.
    """
    nan, values = math.nan, {}
    relevant = [bool(q & r) for r in ranked]
    total = sum(relevant)
    gains = [len(q & r) for r in ranked]
    precision_at = [sum(relevant[: i + 1]) / (i + 1) for i in range(len(ranked))]
    for k in KS:
        top = ranked[:k]
        p = sum(len(q & r) / len(r) for r in top) / len(top)
        r = sum(len(q & r) / len(q) for r in top) / len(top)
        values |= {f"label_precision@{k}": p, f"label_recall@{k}": r, f"f1_c@{k}": harmonic(p, r)}
        values[f"f1_a@{k}"] = sum(harmonic(len(q & r) / len(r), len(q & r) / len(q)) for r in top) / len(top)
        values[f"precision@{k}"] = sum(relevant[:k]) / len(top)
        values[f"recall@{k}"] = sum(relevant[:k]) / total if total else nan
        hits = sum(at for at, there in zip(precision_at[:k], relevant[:k], strict=True) if there)
        values[f"map@{k}"] = hits / min(total, k) if total else nan
        dcg = sum(gain / math.log2(i + 2) for i, gain in enumerate(gains[:k]))
        ideal = sum(gain / math.log2(i + 2) for i, gain in enumerate(sorted(gains, reverse=True)[:k]))
        values[f"ndcg@{k}"] = dcg / ideal if total else nan
    hits = sum(at for at, there in zip(precision_at, relevant, strict=True) if there)
    values["map"] = hits / total if total else nan
    values["r_precision"] = sum(relevant[:total]) / total if total else nan
    values["partner_rank"] = nan if partner_at is None else partner_at + 1
    for k in (1, 5, 10):
        values[f"partner_recall@{k}"] = nan if partner_at is None else float(partner_at < k)
    return values


def slow_columns(task):
    q, g = sets(task.query_labels), sets(task.gallery_labels)
    found = []
    for i in range(len(q)):
        order = slow_order(task, i)
        partner_at = order.index(task.partner[i]) if task.partner[i] >= 0 else None
        found.append(slow_query(q[i], [g[row] for row in order], partner_at))
    return {name: np.array([values[name] for values in found]) for name in found[0]}


def slow_summary(columns):
    """Figures of a whole set of queries."""
    figures = {}
    for name, values in columns.items():
        kept = values[~np.isnan(values)]
        if len(kept) and not name.startswith("label_"):
            figures[name] = float(np.median(kept) if name == "partner_rank" else kept.mean())
    if "partner_rank" in figures:
        figures["partner_median_rank"] = figures.pop("partner_rank")
    for k in KS:
        figures[f"f1_b@{k}"] = harmonic(columns[f"label_precision@{k}"].mean(), columns[f"label_recall@{k}"].mean())
    return figures
