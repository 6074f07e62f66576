"""The index over one model's descriptors: a faiss index per purpose and sensor, ids that never change."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import pandas as pd

from jepa_core import atomic
from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.fingerprint import short
from jepa_core.index.ids import vector_id
from jepa_core.sensors import Sensor
from jepa_core.tables import INDEX_IDS, read_table, write_table
from jepa_core.vectors import Descriptors, Purpose, check_unit, serving


class BrokenIndexError(JepaError):
    """An index is missing or broken."""


class FingerprintMismatchError(JepaError):
    """Vectors of one model were offered to the index of another."""


@dataclass(frozen=True)
class Hits:
    """Nearest patches of each query, nearest first."""

    patch_ids: list[list[str]]
    """By query."""

    scores: list[list[float]]
    """Cosines, by query."""


@dataclass(frozen=True)
class DescriptorIndex:
    """Exact cosine search over the descriptors of one model."""

    variant: str
    """Name of the method."""

    model: str
    """Fingerprint of the model whose descriptors lie in it."""

    dimension: int
    """Of the vectors."""

    flat: Mapping[Purpose, Mapping[str, faiss.Index]]
    """By kind of descriptor and sensor name; a model may have one kind for both purposes."""

    names: Mapping[int, str]
    """Patch id of each vector id."""

    def search(self, vectors: np.ndarray, model: str, purpose: Purpose, sensor: Sensor, k: int) -> Hits:
        """The k nearest patches of a sensor.

        Args:
            vectors: unit queries, (queries, dimension).
            model: fingerprint of the model that made them.
            purpose: which head made them.
            sensor: sensor of the gallery.
            k: hits wanted; fewer where the gallery is smaller.

        Raises:
            FingerprintMismatchError: the queries are another model's.
            JepaError: k below 1, or vectors of another dimension.
            DescriptorError: queries are not finite unit vectors.
        """
        if model != self.model:
            raise FingerprintMismatchError(
                f"queries of model {short(model)} cannot be searched in the index of model {short(self.model)}. "
                f"Run: dagster asset materialize --select {self.variant}_index"
            )
        if k < 1:
            raise JepaError(f"k is {k}; at least one hit must be asked for")
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise JepaError(f"queries have the shape {vectors.shape}, not (n, {self.dimension})")
        check_unit(vectors, "queries")
        index = self._of(purpose, sensor)
        scores, ids = index.search(np.ascontiguousarray(vectors, np.float32), min(k, index.ntotal))
        return Hits(
            [[self.names[int(i)] for i in row] for row in ids],
            [[float(s) for s in row] for row in scores],
        )

    def serves(self, purpose: Purpose) -> bool:
        """Whether its descriptors mean something for this purpose: those of one sensor mean nothing to another's."""
        return purpose == "same" or purpose in self.flat

    def vector(self, patch_id: str, purpose: Purpose, sensor: Sensor) -> np.ndarray:
        """The stored vector of a patch, (1, dimension).

        Raises:
            UnknownNameError: the patch is not in the index of that sensor.
        """
        try:
            found = self._of(purpose, sensor).reconstruct(vector_id(patch_id))
        except RuntimeError as error:
            raise UnknownNameError(f"no {sensor.name} patch {patch_id!r} in the index") from error
        return np.asarray(found)[None]

    def _of(self, purpose: Purpose, sensor: Sensor) -> faiss.Index:
        return self.flat[serving(purpose, self.flat)][sensor.name]


def build_index(folder: Path, variant: str, model: str, descriptors: Mapping[str, Descriptors]) -> int:
    """Writes an index over descriptors, atomically.

    Args:
        folder: takes the index.
        variant: name of the method.
        model: fingerprint of the model that made the descriptors.
        descriptors: by sensor name.

    Returns:
        Number of patches in it.

    Raises:
        BrokenIndexError: two patches share an id.
    """
    with atomic.new_folder(folder) as temporary:
        rows: list[pd.DataFrame] = []
        dimension = 0
        for sensor, of_sensor in descriptors.items():
            ids = np.array([vector_id(name) for name in of_sensor.patch_ids], dtype=np.int64)
            rows.append(pd.DataFrame({"id": ids, "patch_id": of_sensor.patch_ids, "sensor": sensor}))
            for purpose, vectors in of_sensor.vectors.items():
                dimension = vectors.shape[1]
                index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
                index.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)
                faiss.write_index(index, str(temporary / _file_name(purpose, sensor)))
        table = pd.concat(rows, ignore_index=True)
        if table["id"].duplicated().any():
            first = table.loc[table["id"].duplicated(), "id"].iloc[0]
            twins = table.loc[table["id"] == first, "patch_id"].tolist()
            raise BrokenIndexError(f"patches {twins[0]} and {twins[1]} have the same id; rename one")
        write_table(table.astype({"patch_id": "str"}), INDEX_IDS, temporary / "ids.parquet")
        about = {
            "variant": variant,
            "model": model,
            "dimension": dimension,
            "kind": "exact inner product (faiss IndexFlatIP under IndexIDMap2)",
            "sensors": list(descriptors),
            "purposes": list(next(iter(descriptors.values())).vectors),
            "patches": len(table),
        }
        atomic.write_json(temporary / "index.json", about)
    return len(table)


def open_index(folder: Path) -> DescriptorIndex:
    """Reads an index.

    Raises:
        BrokenIndexError: it is not there or not whole.
    """
    if not (folder / "index.json").exists():
        raise BrokenIndexError(f"no index at {folder}")
    about = atomic.read_json(folder / "index.json")
    if "purposes" not in about:
        raise BrokenIndexError(f"{folder} was written by an older version; materialize it again")
    flat: dict[Purpose, dict[str, faiss.Index]] = {purpose: {} for purpose in about["purposes"]}
    for purpose in flat:
        for sensor in about["sensors"]:
            path = folder / _file_name(purpose, sensor)
            try:
                flat[purpose][sensor] = faiss.read_index(str(path))
            except RuntimeError as error:
                raise BrokenIndexError(f"{path} is not readable ({error}); delete {folder} and run again") from error
    ids = read_table(folder / "ids.parquet", INDEX_IDS)
    for purpose, by_sensor in flat.items():
        for sensor, index in by_sensor.items():
            expected = int((ids["sensor"] == sensor).sum())
            if index.ntotal != expected or index.d != about["dimension"]:
                raise BrokenIndexError(
                    f"{folder / _file_name(purpose, sensor)} holds {index.ntotal} vectors of dimension {index.d}, "
                    f"not {expected} of {about['dimension']}; delete {folder} and run again"
                )
    names = dict(zip(ids["id"].tolist(), ids["patch_id"].tolist(), strict=True))
    return DescriptorIndex(about["variant"], about["model"], about["dimension"], flat, names)


def _file_name(purpose: Purpose, sensor: str) -> str:
    return f"{purpose}-{sensor}.faiss"
