"""What makes a stage current: a record on disk of what its results were made from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jepa_core import atomic
from jepa_core.fingerprint import fingerprint
from jepa_core.remote.stand_in import bytes_of
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

    outputs: dict[str, int]
    """Bytes of each output, by path under the data root: one that is lost or cut short unmakes the stage."""

    summary: dict[str, Any]
    """Counts and figures worth showing."""

    seconds: float
    """How long the stage took."""


def stage_fingerprint(stage: str, version: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Fingerprint of a stage run: the same means that there is nothing to do."""
    return fingerprint({"stage": stage, "version": version, "config": dict(config), "inputs": dict(inputs)})


def read_record(store: Store, stage: str) -> StageRecord | None:
    """The stage's record, whether its outputs are still there or not; None where the stage was never made."""
    path = store.stage_records / f"{stage}.json"
    return StageRecord(**atomic.read_json(path)) if path.exists() else None


def lost_output(store: Store, record: StageRecord) -> str | None:
    """An output that is gone or no longer of its size, by path under the data root; None where all stand."""
    for output, size in record.outputs.items():
        if size_of(store.root / output) != size:
            return output
    return None


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files under a folder, pixels that were left in object storage too; -1: nothing."""
    if path.is_dir():
        return sum(bytes_of(file) for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else -1


def write_record(store: Store, record: StageRecord) -> None:
    """Declares the stage whole."""
    atomic.write_json(store.stage_records / f"{record.stage}.json", asdict(record))
