"""What makes a stage current: a record on disk of what its results were made from."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.fingerprint import fingerprint
from jepa_core.remote.stand_in import NAME, bytes_of
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

    making: str = ""
    """Fingerprint of how it and all upstream of it were made, whatever the data: code versions and settings. Empty in
    records that are older than this field."""


def stage_fingerprint(stage: str, version: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Fingerprint of a stage run: the same means that there is nothing to do."""
    return fingerprint({"stage": stage, "version": version, "config": dict(config), "inputs": dict(inputs)})


def read_record(store: Store, stage: str) -> StageRecord | None:
    """The stage's record, whether its outputs are still there or not; None where the stage was never made.

    Raises:
        JepaError: it is no record; the message names the file.
    """
    path = store.stage_records / f"{stage}.json"
    if not path.exists():
        return None
    try:
        return StageRecord(**atomic.read_json(path))
    except TypeError as error:
        raise JepaError(f"{path} is no record of a stage ({error}); delete it and run again") from error


def lost_output(store: Store, record: StageRecord, size: "Callable[[Path], int] | None" = None) -> str | None:
    """An output that is gone or no longer of its size, by path under the data root; None where all stand.

    Args:
        store: the data root.
        record: of the stage.
        size: instead of `size_of`, for who looks at the same folders several times.
    """
    for output, bytes_ in record.outputs.items():
        if (size or size_of)(store.root / output) != bytes_:
            return output
    return None


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files under a folder, pixels that were left in object storage too; -1: nothing."""
    if path.is_dir():
        return _under(str(path))
    return path.stat().st_size if path.exists() else -1


def _under(folder: str) -> int:
    # Not by pathlib, which takes several times as long: an archive has a hundred thousand files and more.
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += _under(entry.path)
            elif entry.is_file():
                found += bytes_of(Path(entry.path)) if entry.name == NAME else entry.stat().st_size
    return found


def write_record(store: Store, record: StageRecord) -> None:
    """Declares the stage whole."""
    atomic.write_json(store.stage_records / f"{record.stage}.json", asdict(record))


def weigh_again(store: Store, stage: str, output: Path) -> None:
    """Notes an output's size as it is now, after a change to its files that left what they hold.

    Args:
        store: the data root.
        stage: whose record it stands in; nothing is done where it does not.
        output: a file or folder under the data root.
    """
    record, name = read_record(store, stage), str(output.relative_to(store.root))
    if record is not None and name in record.outputs:
        write_record(store, replace(record, outputs={**record.outputs, name: size_of(output)}))
