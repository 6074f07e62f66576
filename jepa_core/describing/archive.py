"""Patches to descriptors: what is missing of an archive, in this process or in many."""

from collections.abc import Sequence
from dataclasses import dataclass

from jepa_core.describing.processes import describe_in_processes
from jepa_core.describing.scenes import Share, UndescribedScene, describe_shares
from jepa_core.descriptors import is_whole
from jepa_core.model import TrainedModel
from jepa_core.patch_store import read_manifest, stored_sensor
from jepa_core.progress import advance
from jepa_core.sensors import SENSORS
from jepa_core.store import Store
from jepa_core.tables import records
from jepa_core.vectors import DescriptorError

_SHARE = 1024
"""Patches that a process takes at once, or a whole scene: what is lost where one is killed."""


@dataclass(frozen=True)
class DescriptionSummary:
    """What a run over the archive did."""

    patches: int
    """Patches that have descriptors afterwards."""

    scenes_new: int
    """Scenes described now."""

    scenes_withdrawn: int
    """Scenes whose descriptors were removed, their patches being gone."""


def describe_archive(store: Store, model: TrainedModel, processes: int = 1) -> DescriptionSummary:
    """Brings the model's descriptors in line with the manifests; only what is missing is computed.

    Args:
        store: the data root.
        model: what describes.
        processes: how many share the scenes. Vectors differ by float rounding only.

    Raises:
        ArchiveError: a scene's patches cannot be read.
        DescriptorError: the model gives no unit vectors, or a process failed. What was finished stays.
    """
    folder = store.descriptors(model.name, model.fingerprint)
    patches, withdrawn = 0, 0
    todo: list[Share] = []
    for name in model.variant.sensors:
        sensor = stored_sensor(store, SENSORS[name])
        manifest = read_manifest(store, sensor)
        patches += int(manifest["patches"].sum())
        wanted = {
            f"{row['folder']}.parquet": UndescribedScene(
                store.patches(sensor) / row["folder"], row["patches"], folder / name / f"{row['folder']}.parquet"
            )
            for row in records(manifest[["folder", "patches"]])
        }
        there = set()
        for path in (folder / name).glob("[!.]*.parquet"):
            if path.name not in wanted:
                path.unlink()
                withdrawn += 1
            elif is_whole(path):
                there.add(path.name)
        todo.append(Share(sensor, [scene for file_name, scene in wanted.items() if file_name not in there]))
    _describe(model, todo, processes)
    return DescriptionSummary(patches, sum(len(share.scenes) for share in todo), withdrawn)


def _describe(model: TrainedModel, todo: Sequence[Share], processes: int) -> None:
    total = sum(share.patches for share in todo)
    if processes == 1:
        done = describe_shares(model, todo)
    elif model.folder is None:
        raise DescriptorError(f"processes read the model from its folder, and this {model.name} is in memory only")
    else:
        most = min(_SHARE, -(-total // processes))
        done = describe_in_processes(model.folder, [part for share in todo for part in share.parts(most)], processes)
    advance(done, "Describing", total, "patch")
