"""The charts that a report's own records are enough for."""

from jepa_core.evaluation.charts import class_bars, curve, recall_curves, retrieved_classes
from jepa_core.evaluation.results import Details, Report
from jepa_core.evaluation.wording import direction, search_label
from jepa_core.pictures import png


def report_charts(report: Report) -> dict[str, bytes]:
    """Recall by rank for each direction, classes one by one for the searches among the test split.

    Where the paired patch is once kept and once removed, classes are shown without it: it has the query's own labels.

    Returns:
        PNGs by caption, for `write_report`.
    """
    charts = {}
    directions: dict[str, list[Details]] = {}
    for details in report.details:
        directions.setdefault(direction(details.search), []).append(details)
    for name, found in directions.items():
        caption = f"Recall by rank, {name}"
        curves = [curve(f"{d.search.protocol}, {_pair(d)}" if len(found) > 1 else "descriptors", d) for d in found]
        charts[caption] = png(recall_curves(caption, curves))
    for details in report.details:
        if details.search.protocol == "test" and details.search.pair != "kept":
            for kind, draw in (("F1@5 (A) by class", class_bars), ("Classes retrieved", retrieved_classes)):
                caption = f"{kind}, {search_label(details.search)}"
                charts[caption] = png(draw(caption, details))
    return charts


def _pair(details: Details) -> str:
    return {"kept": "pair kept", "removed": "pair removed"}.get(details.search.pair, details.search.pair)
