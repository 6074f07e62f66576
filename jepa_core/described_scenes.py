"""Scenes with their patches and descriptors side by side: what goes to other systems."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from jepa_core import versions
from jepa_core.descriptors import read_scene_descriptors
from jepa_core.errors import NotMaterializedError
from jepa_core.fingerprint import short
from jepa_core.index.ids import vector_id
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import PATCHES, read_table, records
from jepa_core.vectors import DescriptorError, Purpose


@dataclass(frozen=True)
class SceneContent:
    """What is known of a scene's patches."""

    ids: np.ndarray
    """(patches,) int64: their ids in every index."""

    patches: pd.DataFrame
    """Schema `tables.PATCHES`, in the order of the descriptors."""

    vectors: dict[Purpose, np.ndarray]
    """By kind: float32 (patches, dimension), unit norm."""


@dataclass(frozen=True)
class DescribedScene:
    """A scene of the manifest whose descriptors are there."""

    scene_id: str
    """Its id."""

    mark: str
    """Changes when the scene's pixels, table or way of describing do."""

    time: datetime
    """Of its acquisition, UTC."""

    patches: int
    """Their number."""

    table: Path
    """Of its patches."""

    descriptors: Path
    """Of its patches, by one model."""

    model: str
    """Fingerprint of that model."""

    def read(self) -> SceneContent:
        """Its patches and descriptors.

        Raises:
            InvalidTableError: the table of patches is broken.
            DescriptorError: the descriptors are broken, of another model, or of other patches than the table's.
        """
        found = read_scene_descriptors(self.descriptors, self.model)
        patches = read_table(self.table, PATCHES)
        if patches["patch_id"].tolist() != found.patch_ids.tolist():
            raise DescriptorError(
                f"{self.descriptors} is of other patches than {self.table}; delete it and materialize the "
                "descriptors again"
            )
        ids = np.array([vector_id(name) for name in found.patch_ids], dtype=np.int64)
        return SceneContent(ids, patches, found.vectors)


def described_scenes(store: Store, variant: str, model_fingerprint: str, sensor: Sensor) -> list[DescribedScene]:
    """The sensor's scenes, sorted by id.

    Raises:
        NotMaterializedError: there are none, or one has no descriptors by this model yet; the message names the
            command that makes them.
    """
    root, folder = store.patches(sensor), store.descriptors(variant, model_fingerprint) / sensor.name
    scenes = [
        DescribedScene(
            scene_id=row["scene_id"],
            mark=f"{row['holds']}-{versions.DESCRIPTORS}",
            time=row["time"].to_pydatetime(),
            patches=int(row["patches"]),
            table=root / row["folder"] / "patches.parquet",
            descriptors=folder / f"{row['folder']}.parquet",
            model=model_fingerprint,
        )
        for row in records(read_manifest(store, sensor).sort_values("scene_id"))
    ]
    if not scenes:
        raise NotMaterializedError(
            f"no {sensor.name} patches in {store.root}. Run: dagster asset materialize --select {sensor.name}_patches"
        )
    missing = [scene for scene in scenes if not scene.descriptors.exists()]
    if missing:
        raise NotMaterializedError(
            f"{len(missing)} of {len(scenes)} {sensor.name} scenes have no descriptors by {variant} "
            f"{short(model_fingerprint)}, first {missing[0].scene_id} at {missing[0].descriptors}. "
            f"Run: dagster asset materialize --select {variant}_descriptors"
        )
    return scenes
