"""The coarse quantiser of a sensor's vectors, and how they are searched through it.

Vectors lie in lists, by the nearest of the quantiser's centroids (IVF), a byte a component. A search looks through the
lists nearest to the query and scores the best of what it finds by the full vectors. How many lists it looks through
was settled when the quantiser was trained, by the recall against exact search.
"""

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from jepa_core.index.files import FileState, write_faiss

REFINE = 4
"""Candidates scored by their full vectors, for each hit wanted."""

_POINTS_A_CENTROID = 40
"""Vectors that train a centroid; faiss warns below 39."""


@dataclass(frozen=True)
class Coarse:
    """What a search through lists goes by."""

    name: str
    """Of its file under `coarse/`."""

    file: FileState
    """The file."""

    probes: int
    """Lists that a search looks through."""

    recall: float
    """Recall@10 against exact search on held-out queries, when last measured."""

    queries: int
    """Held-out queries that it was measured with."""

    lists: int
    """Number of lists."""

    trained_on: int
    """Vectors that were in the index when it was trained."""


class Trained:
    """A trained quantiser with its codes, without vectors."""

    def __init__(self, index: faiss.IndexIVFScalarQuantizer) -> None:
        """Keeps the empty index."""
        self.index = index

    @property
    def lists(self) -> int:
        """Number of lists."""
        return int(self.index.nlist)

    def assign(self, vectors: np.ndarray) -> np.ndarray:
        """List of each vector, int32 (rows,)."""
        _, lists = self.index.quantizer.search(vectors, 1)
        return np.asarray(lists[:, 0], np.int32)

    def nearest_lists(self, queries: np.ndarray, probes: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and numbers of the lists nearest to each query, (queries, probes), nearest first."""
        scores, lists = self.index.quantizer.search(queries, min(probes, self.lists))
        return scores, lists


class Lists:
    """A segment's vectors in lists, memory-mapped."""

    def __init__(self, index: faiss.IndexIVFScalarQuantizer, assigned: np.ndarray, held: object) -> None:
        """Keeps the index with its lists.

        Args:
            index: whose lists are the segment's; ids are rows.
            assigned: list of each row, int32.
            held: what the index refers to and does not own.
        """
        self._index = index
        self._held = held
        self.assigned = assigned

    def candidates(
        self, queries: np.ndarray, k: int, scores: np.ndarray, lists: np.ndarray, selector: faiss.IDSelector | None
    ) -> np.ndarray:
        """Rows that are likely among the k best, (queries, k), -1 where there are fewer.

        Args:
            queries: float32 (queries, dimension).
            k: candidates wanted.
            scores: of the lists to look through, (queries, probes).
            lists: their numbers; -1 for none.
            selector: of rows that may be hits; all where None.
        """
        found = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        parameters = faiss.SearchParametersIVF(nprobe=lists.shape[1], sel=selector)
        # The wrapper of this call takes no selector.
        self._index.search_preassigned_c(
            len(queries),
            faiss.swig_ptr(queries),
            k,
            faiss.swig_ptr(lists),
            faiss.swig_ptr(scores),
            faiss.swig_ptr(found),
            faiss.swig_ptr(rows),
            False,
            parameters,
        )
        return rows


def number_of_lists(vectors: int) -> int:
    """The power of two next to four times the root of the number of vectors.

    Of few vectors only as many lists as four fifths of them can train: queries are held out of the rest.
    """
    return int(
        min(2 ** round(np.log2(4 * np.sqrt(vectors))), 2 ** np.floor(np.log2(0.8 * vectors / _POINTS_A_CENTROID)))
    )


def train(sample: np.ndarray, lists: int, seed: int) -> Trained:
    """Trains a quantiser.

    Args:
        sample: float32 (vectors, dimension), drawn from all that the index holds: one that is biased loses recall.
        lists: centroids.
        seed: of the centroids' first places.
    """
    dimension = sample.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimension),
        dimension,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.spherical = True
    index.cp.seed = seed
    index.train(sample)
    return Trained(index)


def sample_size(lists: int) -> int:
    """Vectors to train so many lists with."""
    return _POINTS_A_CENTROID * lists


def write_trained(trained: Trained, path: Path) -> FileState:
    """Writes the quantiser."""
    write_faiss(path, faiss.write_index, trained.index)
    return FileState.of(path)


def open_trained(path: Path) -> Trained:
    """Reads the quantiser."""
    return Trained(faiss.read_index(str(path)))


def write_lists(path: Path, trained: Trained, vectors: np.ndarray, assigned: np.ndarray, block: int = 50_000) -> None:
    """Writes a segment's lists.

    Args:
        path: of the file.
        trained: the quantiser.
        vectors: float16 (rows, dimension).
        assigned: list of each row, int32.
        block: vectors turned into codes at once.
    """
    index = trained.index
    index.reset()
    for start in range(0, len(vectors), block):
        part = np.ascontiguousarray(vectors[start : start + block], np.float32)
        ids = np.arange(start, start + len(part), dtype=np.int64)
        lists = assigned[start : start + block].astype(np.int64)
        index.add_core(len(part), faiss.swig_ptr(part), faiss.swig_ptr(ids), faiss.swig_ptr(lists))
    write_faiss(path, faiss.write_InvertedLists, index.invlists)
    index.reset()


def open_lists(path: Path, trained: Trained, assigned: np.ndarray) -> Lists:
    """Maps a segment's lists into memory; nothing is read yet."""
    whole = trained.index
    # The centroids are the trained index's own: segments are many, and share them.
    index = faiss.IndexIVFScalarQuantizer(whole.quantizer, whole.d, whole.nlist, whole.sq.qtype, whole.metric_type)
    index.own_fields = False
    index.sq = whole.sq
    index.is_trained = True
    # The index owns the lists: they are unmapped with it.
    index.replace_invlists(faiss.read_InvertedLists(faiss.FileIOReader(str(path)), faiss.IO_FLAG_MMAP), True)
    return Lists(index, assigned, trained)
