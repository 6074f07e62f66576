"""The index over one model's descriptors: segments of faiss indexes, changed by scene, searched under filters."""

from jepa_core.index.errors import BrokenIndexError, FingerprintMismatchError, IndexBusyError, IndexWriteError
from jepa_core.index.filters import Filter
from jepa_core.index.ids import vector_id
from jepa_core.index.incoming import SceneVectors
from jepa_core.index.reader import DescriptorIndex, Hits, open_index
from jepa_core.index.rows import Patch
from jepa_core.index.writer import Change, ChangeSummary, IndexWriter, writing

__all__ = [
    "BrokenIndexError",
    "Change",
    "ChangeSummary",
    "DescriptorIndex",
    "Filter",
    "FingerprintMismatchError",
    "Hits",
    "IndexBusyError",
    "IndexWriteError",
    "IndexWriter",
    "Patch",
    "SceneVectors",
    "open_index",
    "vector_id",
    "writing",
]
