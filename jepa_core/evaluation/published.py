"""What papers report for the same sets: shown beside our figures, never judged against them.

Nobody's splits and query protocols are published in full, so that no row here is known to be comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jepa_core.evaluation.results import Report

_CRJEPA = "CR-JEPA (Hossain et al. 2026, arXiv 2606.00706v1)"
_BEN = (
    "Splits, and whether queries are taken from the gallery, are not stated. F1 is most probably definition A for "
    "CR-JEPA's own rows and is not known for the rows that it reprints from X-JEPA's paper."
)
_SINGLE = "Splits are not stated; REJEPA and X-JEPA were adapted by CR-JEPA's authors. mAP is over the whole gallery."
_FMOW = (
    "Quoted at second hand; the order of the columns is inferred, and neither metric (F1@5 is assumed) nor split is "
    "known."
)


@dataclass(frozen=True)
class Published:
    """One figure of a paper."""

    data: str
    """Name of the set, as `DataFacts.name` has it."""

    query: str
    """The queries' sensor: its name, or the part of it that says what it is, such as `rgb`."""

    gallery: str
    """The gallery's sensor, likewise."""

    metric: str
    """The metric of ours that is nearest to the paper's."""

    method: str
    """As the paper names it."""

    value: float
    """From 0 to 1."""

    spread: float | None
    """Standard deviation over the seeds, where the source gives one."""

    source: str
    """Which paper, and where in it."""

    uncertain: str
    """What is not known about it."""


@dataclass(frozen=True)
class Beside:
    """Published rows for a report's reader."""

    rows: tuple[Published, ...]
    """The rows, with the report's own names of sensors; empty where none are of any use."""

    other_set: str
    """Name of the set that they are of, where it is not the report's; empty otherwise."""


def _table(
    data: str,
    directions: tuple[tuple[str, str], ...],
    metrics: tuple[str, ...],
    source: str,
    uncertain: str,
    rows: Mapping[str, tuple[float | None, ...]],
) -> tuple[Published, ...]:
    """Rows in percent: for each direction one value a metric."""
    places = [(query, gallery, metric) for query, gallery in directions for metric in metrics]
    return tuple(
        Published(data, *place, method, round(value / 100, 6), None, source, uncertain)
        for method, values in rows.items()
        for place, value in zip(places, values, strict=True)
        if value is not None
    )


def _directions(one: str, other: str) -> tuple[tuple[str, str], ...]:
    return (one, one), (other, other), (one, other), (other, one)


_BEN14K = _table(
    "ben14k",
    _directions("sentinel1", "sentinel2"),
    ("f1_a@5",),
    f"{_CRJEPA}, table 1",
    _BEN,
    {
        "MAE": (60.81, 72.04, 41.78, 46.12),
        "MAE-RVSA": (55.40, 71.47, 36.66, 38.05),
        "SatMAE": (70.86, 78.71, 49.57, 52.48),
        "SatMAE++": (67.29, 76.48, 50.21, 54.98),
        "ScaleMAE": (62.73, None, None, None),
        "CrossMAE": (66.45, 71.28, 49.46, 48.71),
        # Its 39.01 within Sentinel-2 looks like an error of the table, and is printed as it stands there.
        "CSMAE-SESD": (70.62, 39.01, 38.74, 38.42),
        "SkySense": (69.87, 73.42, 50.26, 52.11),
        "CROMA": (68.48, 72.71, 46.53, 48.61),
        "DeCUR": (71.26, 75.36, 40.78, 41.83),
        "REJEPA": (76.38, 75.42, 55.46, 56.32),
        "X-JEPA": (72.98, 82.65, 61.23, 63.73),
        "CR-JEPA": (75.11, 82.87, 75.82, 75.40),
    },
) + tuple(
    Published("ben14k", query, gallery, "f1_a@5", "CR-JEPA, 5 seeds", value, spread, "CR-JEPA's repository", _BEN)
    for (query, gallery), value, spread in zip(
        _directions("sentinel1", "sentinel2"),
        (0.7551, 0.8289, 0.7578, 0.7546),
        (0.0032, 0.0013, 0.0054, 0.0051),
        strict=True,
    )
)

_CBRSIR_VS = _table(
    "cbrsir-vs",
    _directions("rgb", "sar"),
    ("map", "precision@5"),
    f"{_CRJEPA}, table 2; MAE and SatMAE++ from its repository",
    _SINGLE,
    {
        "MAE": (71.47, 76.92, 48.53, 52.88, 51.15, 55.42, 53.37, 58.19),
        "SatMAE++": (74.76, 80.14, 57.65, 62.27, 60.41, 64.73, 61.18, 66.59),
        "REJEPA": (75.74, 81.45, 63.21, 67.92, 66.88, 70.88, 64.95, 70.73),
        "X-JEPA": (79.12, 85.19, 67.34, 70.78, 70.11, 74.41, 67.87, 73.41),
        "CR-JEPA": (86.94, 90.94, 71.88, 76.21, 72.62, 78.11, 73.55, 78.41),
    },
)

_DSRSID = _table(
    "dsrsid",
    _directions("pan", "ms"),
    ("map", "precision@5"),
    f"{_CRJEPA}, table 2; MAE and SatMAE++ from its repository",
    _SINGLE,
    {
        "MAE": (55.23, 59.08, 58.46, 61.75, 52.12, 57.19, 55.54, 59.41),
        "SatMAE++": (60.07, 64.24, 64.15, 68.04, 59.33, 64.82, 63.16, 67.29),
        "REJEPA": (62.42, 66.18, 65.76, 69.35, 62.21, 67.62, 65.84, 69.37),
        "X-JEPA": (64.65, 68.42, 72.13, 76.08, 66.36, 70.74, 68.82, 72.91),
        "CR-JEPA": (69.82, 77.81, 73.10, 79.13, 72.15, 77.27, 71.24, 78.43),
    },
)

_REJEPA = "REJEPA (Choudhury et al. 2025, arXiv 2504.03169), table 1"
_FMOW_RGB = _table(
    "fmow-rgb", (("rgb", "rgb"),), ("f1_a@5",), _REJEPA, _FMOW, {"Scale-MAE": (64.26,), "REJEPA": (73.53,)}
)
_FMOW_SENTINEL = _table(
    "fmow-sentinel",
    (("sentinel2", "sentinel2"),),
    ("f1_a@5",),
    _REJEPA,
    _FMOW,
    {"Scale-MAE": (69.56,), "REJEPA": (75.87,)},
)

PUBLISHED = _BEN14K + _CBRSIR_VS + _DSRSID + _FMOW_RGB + _FMOW_SENTINEL
"""All of them."""

_BESIDE = {"ben-v2": "ben14k"}
"""Sets without published rows whose readers would compare with another set's all the same."""


def published(data: str) -> tuple[Published, ...]:
    """Rows of a set, in the order of their tables; empty where no paper is known."""
    return tuple(row for row in PUBLISHED if row.data == data)


def beside(report: Report) -> Beside:
    """The rows that a report's reader would compare with.

    The sample is too small to be compared with anything and has none.
    """
    if report.data.archive == "sample":
        return Beside((), "")
    other = _BESIDE.get(report.data.name, "")
    ours = {part: name for name in report.data.sensors for part in (name, *name.split("_"))}
    rows = [
        replace(row, query=ours[row.query], gallery=ours[row.gallery])
        for row in published(other or report.data.name)
        if {row.query, row.gallery} <= ours.keys()
    ]
    return Beside(tuple(rows), other)
