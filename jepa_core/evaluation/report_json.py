"""`report.json`: a report's records as JSON, and the schema that others may read them by."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jepa_core.errors import JepaError
from jepa_core.evaluation.results import Report

SCHEMA = "jepa-benchmark/1"
"""Stands in each report; the number rises when a reader of the last one would read it wrongly."""

_REPORT = TypeAdapter(Report)


class ReportError(JepaError):
    """A report is not there, is damaged, is none of this code's, or cannot be compared."""


def to_json(report: Report) -> dict[str, Any]:
    """A report as JSON holds it.

    Raises:
        ReportError: a figure is NaN or infinite, which JSON has no word for; the message says which.
    """
    _make_sure_finite(_REPORT.dump_python(report), "a figure of the report cannot be written")
    return {"schema": SCHEMA, **_REPORT.dump_python(report, mode="json")}


def from_json(fields: Any, where: str) -> Report:
    """The report that `to_json` made `fields` from.

    Args:
        fields: what stands in the file.
        where: its path, for the messages.

    Raises:
        ReportError: it was written by another version of this code, or is damaged.
    """
    mark = fields.get("schema") if isinstance(fields, dict) else None
    if mark != SCHEMA:
        found = f"of another version of this code ({mark})" if isinstance(mark, str) else "not of this version's form"
        raise ReportError(f"{where} is {found}, and {SCHEMA} is needed; make the benchmark again")
    try:
        report = _REPORT.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReportError(f"{where} is damaged at {place} ({first['msg']}); make the benchmark again") from error
    _make_sure_finite(_REPORT.dump_python(report), f"{where} is damaged")
    return report


def report_schema() -> dict[str, Any]:
    """JSON Schema of `report.json`, generated from the records; their docstrings describe them."""
    schema = _REPORT.json_schema(mode="serialization")
    for record in (schema, *schema["$defs"].values()):
        # A field that the record does not have is an error of whoever wrote it, or a newer version's.
        record["additionalProperties"] = False
    schema["properties"] = {"schema": {"const": SCHEMA}, **schema["properties"]}
    schema["required"] = ["schema", *schema["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _make_sure_finite(value: Any, what: str) -> None:
    for place in _not_finite(value, ""):
        raise ReportError(f"{what}: {place.lstrip('.')} is not a finite number")


def _not_finite(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield place
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for i, item in enumerate(value):
            yield from _not_finite(item, f"{place}.{i}")
