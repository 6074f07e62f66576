"""Which model is current in a data root, as the stage records name it."""

from dataclasses import dataclass
from pathlib import Path

from jepa_core import versions
from jepa_core.errors import NotMaterializedError, UnknownNameError
from jepa_core.stages import lost_output, read_record
from jepa_core.store import Store


@dataclass(frozen=True)
class CurrentModel:
    """The model that was trained last."""

    folder: Path
    """Of the model."""

    fingerprint: str
    """Of the model."""


def current_model(store: Store, variant: str) -> CurrentModel:
    """The variant's trained model.

    Raises:
        UnknownNameError: no such variant; the message lists those there are.
        NotMaterializedError: there is none; the message names the command that makes it.
    """
    # Every method has a code version; asking the registry would import them all.
    if variant not in versions.MODEL:
        raise UnknownNameError(f"no variant {variant!r}; there are {', '.join(versions.MODEL)}")
    record = read_record(store, f"{variant}_model")
    if record is None or lost_output(store, record):
        raise NotMaterializedError(
            f"no whole {variant} model in {store.root}. Run: dagster asset materialize --select {variant}_index"
        )
    return CurrentModel(store.root / record.summary["folder"], record.data_version)
