"""Reads pickled records without running anything: arrays are built, every class becomes a plain holder of fields.

Only numpy's array constructors may be called. The records' own classes, named by prefix, are replaced by `Record`;
any other name in the stream is an error.
"""

import io
import pickle
import pickletools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# Where numpy keeps it differs between 1.x, which wrote the files, and 2.x, which reads them.
_RECONSTRUCT: Callable[..., Any] = np._core.multiarray._reconstruct  # type: ignore[attr-defined]

_NUMPY = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class Record:
    """Holds the fields that a pickled object of some class had."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class _InertUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, record_modules: Sequence[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._record_modules = tuple(record_modules)

    def find_class(self, module: str, name: str) -> Any:
        """The few constructors allowed; everything else is refused."""
        if (module, name) in _NUMPY:
            return _NUMPY[module, name]
        if module in self._record_modules:
            return Record
        raise pickle.UnpicklingError(f"the record names {module}.{name}, which is not allowed")


def read_records(data: bytes, record_modules: Sequence[str]) -> Any:
    """The pickled object, with numpy arrays real and all other classes as `Record`.

    Args:
        data: the pickle.
        record_modules: full names of the modules whose classes may stand in it.

    Raises:
        pickle.UnpicklingError: the stream names anything else, or is damaged so that it would fill the memory.
    """
    for opcode, argument, _ in pickletools.genops(data):
        # Python makes a table as long as the highest number: four damaged bytes ask for twenty gigabytes.
        if opcode.name in ("LONG_BINPUT", "PUT") and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError(f"the record numbers its {len(data)} bytes up to {argument}")
    return _InertUnpickler(data, record_modules).load()
