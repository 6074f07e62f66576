"""Records of stages with their outputs, benchmark reports and references."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.operating.findings import Cure, Finding, Ward, reason, settled
from jepa_core.operating.inventory import report_folders
from jepa_core.operating.working import at_work
from jepa_core.stages import StageRecord, read_record, size_of

_WITHOUT_SETTINGS = ("_descriptors", "_index", "_benchmark", "benchmark_comparison")
"""Stages whose record holds no setting that would be lost with it; an index remembers its own."""


def check_records(ward: Ward, found: Sequence[Finding]) -> Iterator[Finding]:
    """Each stage's record, and its outputs as far as nothing was found in them yet.

    Args:
        ward: the data root.
        found: what other checks found.
    """
    known = {finding.path for finding in found}
    for path in sorted(ward.store.stage_records.glob("[!.]*.json")):
        yield from settled(partial(_record, ward, path, known), [path])


def check_reports(ward: Ward) -> Iterator[Finding]:
    """Every benchmark report and reference."""
    from jepa_core.evaluation.gate import read_reference
    from jepa_core.evaluation.report import read_report

    for folder in report_folders(ward.store):
        path = folder / "report.json"
        said = f"making the benchmark of {folder.name} again, after deleting {folder}"
        yield from settled(partial(_read, path, partial(read_report, folder), "its figures are lost", said), [path])
    for path in sorted((ward.store.root / "references").glob("[!.]*.json")):
        said = f"a back-up, or: jepa reference --variant {path.stem}, of the report as it is now"
        means = "nothing is held against it"
        yield from settled(partial(_read, path, partial(read_reference, path), means, said), [path])
    path = ward.store.comparison / "report.json"
    if path.exists():
        said = f"deleting {path.parent}, and: dagster asset materialize --select benchmark_comparison"
        yield from settled(partial(_read, path, lambda: atomic.read_json(path)["lines"], "it is lost", said), [path])


def _read(path: Path, read: Callable[[], object], means: str, said: str) -> list[Finding]:
    try:
        read()
    except (JepaError, OSError, KeyError, TypeError) as error:
        return [Finding(path, reason(error), means, said)]
    return []


def _record(ward: Ward, path: Path, known: set[Path]) -> list[Finding]:
    name = path.stem
    try:
        record = read_record(ward.store, name)
    except (JepaError, OSError) as error:
        return [_unreadable(path, reason(error))]
    # Whoever works on it takes things away and puts them there.
    if record is None or at_work(ward.store, [name]) is not None:
        return []
    found = [
        _lost(name, ward.store.root / output, what)
        for output, size in record.outputs.items()
        if (what := _wrong_size(ward.store.root / output, size, known)) is not None
    ]
    return found + _shown(ward, record)


def _lost(stage: str, path: Path, what: str) -> Finding:
    if stage.endswith("_model"):
        return Finding(path, what, f"{stage} is not whole", f"a back-up, or training again: {_again(stage)}")
    # Its stage finds it missing by itself: there is nothing to remove first.
    cure = Cure((stage,), lambda: f"{stage} makes {path.name} again when it is run", stage)
    return Finding(path, what, f"{stage} is not whole", _again(stage), cure=cure)


def _wrong_size(path: Path, size: int, known: set[Path]) -> str | None:
    if any(path == other or path in other.parents or other in path.parents for other in known):
        return None
    there = size_of(path)
    if there == size:
        return None
    return "is missing" if there < 0 else f"has {there:,} bytes, not {size:,}"


def _shown(ward: Ward, record: StageRecord) -> list[Finding]:
    """What Dagster's page of the asset shows; a stage that has nothing to do reads it again."""
    path = ward.store.stage_records / "shown" / f"{record.stage}.json"
    try:
        fields = atomic.read_json(path)
        if all(part in fields for part in ("pictures", "tables", "links")):
            return []
        what = "is not what a stage writes"
    except (JepaError, OSError, TypeError) as error:
        what = reason(error)

    def empty() -> str:
        atomic.write_json(path, {"pictures": {}, "tables": {}, "links": {}})
        return f"wrote {path} anew, without pictures"

    means = f"{record.stage} fails where it has nothing to do"
    said = "an empty one; its pictures come back when the stage has something to do"
    return [Finding(path, what, means, said, cure=Cure((record.stage,), empty, ""))]


def _unreadable(path: Path, what: str) -> Finding:
    name = path.stem
    if not name.endswith(_WITHOUT_SETTINGS):
        said = f"a back-up; else deleting it, and: {_again(name)} with the settings that it was made with"
        return Finding(path, what, f"{name} cannot run, and its settings are not known", said)

    def delete() -> str:
        atomic.remove(path)
        return f"deleted {path}"

    said = f"deleting it, and: {_again(name)}"
    return Finding(path, what, f"{name} cannot run", said, cure=Cure((name,), delete, name))


def _again(stage: str) -> str:
    return f"dagster asset materialize --select {stage}"
