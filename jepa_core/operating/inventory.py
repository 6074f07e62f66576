"""What lies in a data root: variants, models, and which of them something names."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jepa_core import atomic, versions
from jepa_core.errors import JepaError, NotMaterializedError
from jepa_core.index.sync import CurrentIndex, current_index
from jepa_core.stages import read_record
from jepa_core.store import Store

_ROOMS = ("models", "descriptors", "indexes")


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk, as its description says; its weights are not read."""

    folder: Path
    """Where it lies."""

    fingerprint: str
    """Of the model."""

    written: datetime
    """When its training ended."""

    sensors: tuple[str, ...]
    """Names of those that it describes."""

    about: dict[str, Any]
    """What was kept with it."""


def variants_there(store: Store) -> list[str]:
    """Variants of which anything lies in the data root, in the order of the registry."""
    return [
        variant
        for variant in versions.MODEL
        if any((store.root / room / variant).is_dir() for room in _ROOMS)
        or any((store.root / "training").glob(f"{variant}-*"))
        or any(store.stage_records.glob(f"{variant}_*.json"))
    ]


def folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted, temporary ones left out; none where it is not there."""
    if not path.is_dir():
        return []
    return sorted(found for found in path.iterdir() if found.is_dir() and not found.name.startswith("."))


def read_model_folder(folder: Path) -> ModelFolder:
    """A model as its description says.

    Raises:
        JepaError: there is no description, or it cannot be read; the message names it.
    """
    path = folder / "model.json"
    if not path.exists() or not (folder / "weights.safetensors").exists():
        raise JepaError(f"no whole model in {folder}")
    fields = atomic.read_json(path)
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return ModelFolder(folder, str(fields["fingerprint"]), written, tuple(fields["sensors"]), fields["about"])
    except (KeyError, TypeError) as error:
        raise JepaError(f"{path} is no description of a model (it lacks {error})") from error


def last_trained(store: Store, variant: str) -> ModelFolder | None:
    """The model that the variant's record names; None where there is no record.

    Raises:
        JepaError: the record or the model cannot be read.
    """
    record = read_record(store, f"{variant}_model")
    return None if record is None else read_model_folder(store.root / str(record.summary["folder"]))


def serving_index(store: Store, variant: str) -> CurrentIndex | None:
    """The index that searches use; None where there is none.

    Raises:
        JepaError: what says so cannot be read.
    """
    try:
        return current_index(store, variant)
    except NotMaterializedError:
        return None
    except (KeyError, TypeError) as error:
        path = store.root / "indexes" / variant / "current.json"
        raise JepaError(f"{path} names no index (it lacks {error})") from error


def report_folders(store: Store) -> list[Path]:
    """Folders of all benchmark reports, the comparison left out."""
    return [folder for folder in folders(store.root / "benchmarks") if folder != store.comparison]


def reported_models(store: Store) -> Iterator[str]:
    """Fingerprints of the models that benchmark reports are of.

    Raises:
        JepaError: a report cannot be read.
    """
    for folder in report_folders(store):
        path = folder / "report.json"
        try:
            yield from atomic.read_json(path)["model"]["models"]
        except (KeyError, TypeError, OSError) as error:
            raise JepaError(f"{path} is no report of a benchmark ({error!r})") from error
