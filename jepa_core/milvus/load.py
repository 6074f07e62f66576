"""Brings a Milvus database in line with the descriptors of one model; only the difference is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jepa_core.described_scenes import DescribedScene, SceneContent, described_scenes
from jepa_core.milvus.database import Holding, MilvusError, check_own, connected, create, create_marks
from jepa_core.milvus.expression import quoted
from jepa_core.progress import track
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import records

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_ROWS = 1000
"""Sent at once: some megabytes; a server takes 64."""

_UNDER_WAY = ""
"""Mark of a scene whose patches are not all there: it is loaded anew, or withdrawn, by the next run."""


@dataclass(frozen=True)
class SyncSummary:
    """What a run changed."""

    scenes_added: int
    """Scenes that were not there, or not whole."""

    scenes_replaced: int
    """Scenes whose patches or descriptors changed."""

    scenes_withdrawn: int
    """Scenes that are no more."""

    patches: int
    """Patches that the database holds afterwards."""


def sync(uri: str, store: Store, variant: str, model_fingerprint: str, sensors: Sequence[Sensor]) -> SyncSummary:
    """Makes the collections of a model hold what the data root does, scene by scene.

    A scene's mark is written before and after its patches, and removed after them, so that whatever a killed run left
    is found and put right by the next. One data root a database: scenes of another one would be withdrawn.

    Args:
        uri: of the database, see `database.connected`.
        store: the data root.
        variant: name of the method.
        model_fingerprint: of the model whose descriptors are loaded.
        sensors: of the patches, a collection each.

    Raises:
        NotMaterializedError: there are no patches, or a scene has no descriptors; the message names the command.
        DescriptorError: descriptors are broken or of another model.
        FingerprintMismatchError: a collection of the name is there and holds something else.
        MilvusError: the database cannot be reached, or does not hold what was sent.
    """
    wanted = {sensor.name: described_scenes(store, variant, model_fingerprint, sensor) for sensor in sensors}
    with connected(uri) as client:
        done = [
            _sync_sensor(uri, client, _holding(variant, model_fingerprint, sensor, scenes), scenes)
            for sensor, scenes in wanted.items()
        ]
    return SyncSummary(*(sum(counts) for counts in zip(*done, strict=True)))


def _holding(variant: str, model: str, sensor: str, scenes: Sequence[DescribedScene]) -> Holding:
    first = scenes[0].read()
    return Holding(variant, model, sensor, {kind: vectors.shape[1] for kind, vectors in first.vectors.items()})


def _sync_sensor(
    uri: str, client: "MilvusClient", holding: Holding, scenes: Sequence[DescribedScene]
) -> tuple[int, int, int, int]:
    held = _opened(uri, client, holding)
    marks = {scene.scene_id: scene.mark for scene in scenes}
    gone = [scene_id for scene_id in held if scene_id not in marks]
    for scene_id in track(gone, f"Withdrawing {holding.sensor}", unit="scene"):
        client.delete(holding.name, filter=f"scene_id == {quoted(scene_id)}")
        client.delete(holding.marks, ids=[scene_id])
    behind = [scene for scene in scenes if held.get(scene.scene_id) != scene.mark]
    for scene in track(behind, f"Loading {holding.sensor}", unit="scene"):
        _load(client, holding, scene)
    replaced = sum(held.get(scene.scene_id, _UNDER_WAY) != _UNDER_WAY for scene in behind)
    patches = sum(scene.patches for scene in scenes)
    there = int(client.query(holding.name, filter="", output_fields=["count(*)"])[0]["count(*)"])
    if there != patches:
        raise MilvusError(
            f"the collection {holding.name} holds {there} patches, not the {patches} that were sent; drop it and "
            f"{holding.marks}, and run again"
        )
    return len(behind) - replaced, replaced, len(gone), patches


def _opened(uri: str, client: "MilvusClient", holding: Holding) -> dict[str, str]:
    """Makes the collections ready; gives the marks of the scenes in them, by scene id."""
    if not client.has_collection(holding.name):
        # Marks of patches that are gone would keep them away.
        client.drop_collection(holding.marks)
        create(client, holding, uri)
    check_own(client, holding)
    if not client.has_collection(holding.marks):
        create_marks(client, holding)
    for name in (holding.name, holding.marks):
        client.load_collection(name)
    marks: dict[str, str] = {}
    rows = client.query_iterator(holding.marks, output_fields=["scene_id", "mark"])
    while batch := rows.next():
        marks |= {row["scene_id"]: row["mark"] for row in batch}
    rows.close()
    return marks


def _load(client: "MilvusClient", holding: Holding, scene: DescribedScene) -> None:
    content = scene.read()
    dimensions = {kind: vectors.shape[1] for kind, vectors in content.vectors.items()}
    if dimensions != holding.dimensions:
        raise MilvusError(
            f"{scene.descriptors} holds vectors of dimensions {dimensions}, the collection {holding.name} takes "
            f"{dict(holding.dimensions)}; delete the file and materialize the descriptors again"
        )
    _mark(client, holding, scene.scene_id, _UNDER_WAY)
    client.delete(holding.name, filter=f"scene_id == {quoted(scene.scene_id)}")
    rows = _rows(content)
    for start in range(0, len(rows), _ROWS):
        # Not inserted: a patch that came from another scene would be there twice.
        client.upsert(holding.name, rows[start : start + _ROWS])
    _mark(client, holding, scene.scene_id, scene.mark)


def _mark(client: "MilvusClient", holding: Holding, scene_id: str, mark: str) -> None:
    client.upsert(holding.marks, [{"scene_id": scene_id, "mark": mark, "unused": [1.0, 0.0]}])


def _rows(content: SceneContent) -> list[dict[str, Any]]:
    patches = content.patches
    times = patches["time"].dt.tz_convert(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return [
        {
            "id": int(content.ids[i]),
            **{name: row[name] for name in ("patch_id", "scene_id", "cell_id", "lon", "lat", "valid_fraction")},
            "time": int(times[i]),
            "cloud_fraction": None if np.isnan(row["cloud_fraction"]) else row["cloud_fraction"],
            "labels": [str(label) for label in row["labels"]],
            **{kind: vectors[i] for kind, vectors in content.vectors.items()},
        }
        for i, row in enumerate(records(patches))
    ]
