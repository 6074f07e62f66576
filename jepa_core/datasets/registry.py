"""Labelled sets by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from jepa_core.datasets.ben14k import open_ben14k
from jepa_core.datasets.ben_v2 import open_ben_v2
from jepa_core.datasets.cbrsir_vs import open_cbrsir_vs
from jepa_core.datasets.dsrsid import open_dsrsid
from jepa_core.datasets.eurosat_ms import open_eurosat_ms
from jepa_core.datasets.eurosat_pan_ms import open_eurosat_pan_ms
from jepa_core.datasets.eurosat_rgb import open_eurosat_rgb
from jepa_core.datasets.fmow_rgb import open_fmow_rgb
from jepa_core.datasets.fmow_sentinel import open_fmow_sentinel
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.datasets.sen12ms import open_sen12ms
from jepa_core.errors import UnknownNameError

OPENERS: Mapping[str, Callable[[Path], LabelledSet]] = {
    "ben14k": open_ben14k,
    "ben-v2": open_ben_v2,
    "cbrsir-vs": open_cbrsir_vs,
    "dsrsid": open_dsrsid,
    "eurosat-ms": open_eurosat_ms,
    "eurosat-pan-ms": open_eurosat_pan_ms,
    "eurosat-rgb": open_eurosat_rgb,
    "fmow-rgb": open_fmow_rgb,
    "fmow-sentinel": open_fmow_sentinel,
    "sen12ms": open_sen12ms,
}


def open_set(name: str, root: Path) -> LabelledSet:
    """The set of a name.

    Args:
        name: one of `OPENERS`.
        root: the folder or file that it lies in, as its publishers pack it.

    Raises:
        UnknownNameError: no set has that name; the message lists those that are known.
        DatasetError: its files are missing or damaged.
    """
    opener = OPENERS.get(name)
    if opener is None:
        raise UnknownNameError(f"unknown set {name!r}; known are {', '.join(sorted(OPENERS))}")
    return opener(root)
