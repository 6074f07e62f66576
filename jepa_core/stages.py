"""What makes a stage current: a record on disk of what its results were made from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jepa_core import atomic
from jepa_core.fingerprint import fingerprint
from jepa_core.store import Store


@dataclass(frozen=True)
class StageRecord:
    """Written last, when all that a stage produced is in place."""

    stage: str
    """Name of the stage, which is its asset's key."""

    fingerprint: str
    """Over code version, config and the data versions of the inputs."""

    data_version: str
    """Version of what came out; the stages downstream count from it."""

    config: dict[str, Any]
    """Settings that the stage ran with."""

    inputs: dict[str, str]
    """Data version of each input."""

    outputs: tuple[str, ...]
    """Paths under the data root that must be there for the record to hold."""

    summary: dict[str, Any]
    """Counts and figures worth showing."""

    seconds: float
    """How long the stage took."""


def stage_fingerprint(stage: str, version: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Fingerprint of a stage run: the same means that there is nothing to do."""
    return fingerprint({"stage": stage, "version": version, "config": dict(config), "inputs": dict(inputs)})


def read_record(store: Store, stage: str) -> StageRecord | None:
    """The stage's record; None where there is none, or where something it names is gone."""
    path = store.stage_records / f"{stage}.json"
    if not path.exists():
        return None
    fields = atomic.read_json(path)
    record = StageRecord(**{**fields, "outputs": tuple(fields["outputs"])})
    if all((store.root / output).exists() for output in record.outputs):
        return record
    return None


def write_record(store: Store, record: StageRecord) -> None:
    """Declares the stage whole."""
    atomic.write_json(store.stage_records / f"{record.stage}.json", asdict(record))
