"""The benchmark's report: JSON for machines, one page for people, and a table of every query's values for both."""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from jepa_core import atomic
from jepa_core.evaluation.picture_files import write_pictures
from jepa_core.evaluation.report_json import ReportError, from_json, to_json
from jepa_core.evaluation.report_page import report_page
from jepa_core.evaluation.results import Report, Search
from jepa_core.evaluation.wording import file_stem


def write_report(
    folder: Path, report: Report, queries: Mapping[str, pd.DataFrame], pictures: Mapping[str, bytes]
) -> None:
    """Writes a report's files atomically; what stood in the folder goes.

    These are `report.json`, `report.html`, `<stem>.parquet` for each table and the pictures (`write_pictures`).

    Args:
        folder: takes them.
        report: the figures and how they came about.
        queries: values of every query of a result that serves, by file stem (`wording.file_stem`).
        pictures: PNGs by caption, in the order in which the page shows them.

    Raises:
        ReportError: a figure is NaN or infinite.
        ValueError: a stem is no plain file name.
    """
    for stem in queries:
        if not re.fullmatch(r"[\w.-]+", stem):
            raise ValueError(f"{stem!r} is no plain file name")
    fields, page = to_json(report), report_page(report, pictures)
    with atomic.new_folder(folder) as temporary:
        atomic.write_json(temporary / "report.json", fields)
        (temporary / "report.html").write_text(page, encoding="utf-8")
        for stem, table in queries.items():
            table.to_parquet(temporary / f"{stem}.parquet", index=False)
        write_pictures(temporary, pictures)


def read_report(folder: Path) -> Report:
    """Reads what `write_report` wrote. Lists within config and recipe come back as lists, tuples too.

    Raises:
        ReportError: there is none in the folder, it was written by another version of this code, or it is damaged.
        JepaError: it is not JSON.
    """
    path = folder / "report.json"
    if not path.exists():
        raise ReportError(f"no report at {path}")
    return from_json(atomic.read_json(path), str(path))


def read_queries(folder: Path, search: Search) -> pd.DataFrame:
    """Values of every query of one search, as they were given to `write_report`.

    Raises:
        ReportError: the report has none of this search.
    """
    path = folder / f"{file_stem(search)}.parquet"
    if not path.exists():
        raise ReportError(f"no values of single queries at {path}; make the benchmark again")
    return pd.read_parquet(path)
