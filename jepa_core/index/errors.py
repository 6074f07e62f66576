"""What can be wrong with an index."""

from jepa_core.errors import JepaError
from jepa_core.fingerprint import short


class BrokenIndexError(JepaError):
    """An index is missing or broken."""


class IndexBusyError(JepaError):
    """Another process is writing to the index."""


class IndexWriteError(JepaError):
    """The index could not be written; it is as it was."""


class FingerprintMismatchError(JepaError):
    """Vectors of one model were offered to the index of another."""


def check_model(offered: str, model: str, what: str, variant: str) -> None:
    """Makes sure that vectors are of the index's model.

    Raises:
        FingerprintMismatchError: they are not; the message names both models.
    """
    if offered != model:
        raise FingerprintMismatchError(
            f"{what} of model {short(offered)} cannot be used with the index of model {short(model)}. "
            f"Run: dagster asset materialize --select {variant}_index"
        )
