"""Whether new scenes look like what a model was trained on: are their descriptors as near to it as it is to itself?

A training patch is left out with its whole scene, and its cosine to the nearest patch of the others is taken; nineteen
in twenty lie above a limit. New patches that lie under the limit are counted. If nothing has changed, they are one in
twenty. The count is of patches since the training, scene by scene, and is kept beside the descriptors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepa_core import atomic
from jepa_core.choice import evenly
from jepa_core.described_scenes import described_scenes
from jepa_core.descriptors import read_scene_descriptors
from jepa_core.sensors import SENSORS, Sensor
from jepa_core.store import Store

SHARE = 0.05
"""Of training patches that lie under the limit."""

TOO_MANY = 4 * SHARE
"""Share of new patches, all chance allowed for, from which on a model should be trained anew."""

_MOST = 4096
"""Training patches that are compared with, spread evenly over their scenes."""

_SCENES = 256
"""Training scenes that they are of."""

_LEAST_PATCHES = 50
"""New patches below which nothing is concluded: those of one scene are alike."""

_LEAST_SCENES = 2
"""A scene can be left out only where there is another."""


@dataclass(frozen=True)
class Drift:
    """How far the scenes of a sensor have moved away from those of the training."""

    sensor: str
    """Name of the sensor."""

    patches: int
    """New ones that were looked at."""

    strange: int
    """Of those, patches farther from all training patches than nineteen in twenty of these are from each other."""

    scenes: int
    """New ones."""

    @property
    def share(self) -> float:
        """Share of strange patches; `SHARE` is to be expected."""
        return self.strange / self.patches if self.patches else 0.0

    @property
    def least_share(self) -> float:
        """What the share is at least, with 97.5 % confidence (Wilson's interval)."""
        if not self.patches:
            return 0.0
        n, z = self.patches, 1.96
        middle = self.share + z * z / (2 * n)
        spread = z * np.sqrt(self.share * (1 - self.share) / n + z * z / (4 * n * n))
        return float((middle - spread) / (1 + z * z / n))

    @property
    def found(self) -> bool:
        """Whether so many are strange that the model should be trained anew."""
        return self.patches >= _LEAST_PATCHES and self.least_share > TOO_MANY


def measure_drift(store: Store, variant: str, model: str, sensors: Sequence[str]) -> list[Drift]:
    """Looks at the scenes that came since the model's first describing; each is looked at once.

    Args:
        store: the data root, all of whose scenes are described by the model.
        variant: name of the method.
        model: fingerprint of the model.
        sensors: names of the sensors that it describes.

    Raises:
        DescriptorError: descriptors of a scene are broken.
        NotMaterializedError: a scene has none.
    """
    return [_of_sensor(store, variant, model, SENSORS[name]) for name in sensors]


def read_drift(store: Store, variant: str, model: str, sensors: Sequence[str]) -> list[Drift]:
    """What was measured last; nothing for a sensor that was not looked at."""
    paths = [_path(store, variant, model, SENSORS[name]) for name in sensors]
    return [_told(name, atomic.read_json(path)) for name, path in zip(sensors, paths, strict=True) if path.exists()]


def _of_sensor(store: Store, variant: str, model: str, sensor: Sensor) -> Drift:
    scenes = {scene.scene_id: scene.descriptors for scene in described_scenes(store, variant, model, sensor)}
    path = _path(store, variant, model, sensor)
    if not path.exists():
        # What is there when a model first describes is what it was trained on.
        limit = _write_gallery(path.with_suffix(".npy"), [scenes[name] for name in sorted(scenes)], model)
        atomic.write_json(path, {"trained": sorted(scenes), "limit": limit, "new": {}})
    known: dict[str, Any] = atomic.read_json(path)
    known["new"] = {name: counted for name, counted in known["new"].items() if name in scenes}
    todo = scenes.keys() - known["trained"] - known["new"].keys()
    if todo and known["limit"] is not None:
        gallery = np.load(path.with_suffix(".npy"), allow_pickle=False).astype(np.float32)
        for name in todo:
            near = _nearest(_vectors(scenes[name], model), gallery)
            known["new"][name] = {"patches": len(near), "strange": int((near < known["limit"]).sum())}
    atomic.write_json(path, known)
    return _told(sensor.name, known)


def _told(sensor: str, known: Mapping[str, Any]) -> Drift:
    counted = list(known["new"].values())
    return Drift(sensor, sum(c["patches"] for c in counted), sum(c["strange"] for c in counted), len(counted))


def _write_gallery(path: Path, scenes: Sequence[Path], model: str) -> float | None:
    """Keeps some training vectors, float16 (patches, dimension); gives the limit, None where there is one scene alone.

    Some patches of some scenes: what is read and kept does not grow with the archive.
    """
    chosen = [scenes[i] for i in evenly(len(scenes), _SCENES)]
    if len(chosen) < _LEAST_SCENES:
        return None
    # Scene by scene: all patches of all scenes need not fit into memory.
    parts = [found[evenly(len(found), _MOST // len(chosen))] for found in (_vectors(s, model) for s in chosen)]
    vectors, of_scene = np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    with atomic.new_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, vectors.astype(np.float16), allow_pickle=False)
    return float(np.quantile(_nearest(vectors, vectors, of_scene[:, None] == of_scene[None, :]), SHARE))


def _nearest(vectors: np.ndarray, gallery: np.ndarray, without: np.ndarray | None = None) -> np.ndarray:
    """Cosine of each vector to the nearest of the gallery that is not left out."""
    cosines = vectors @ gallery.T
    if without is not None:
        cosines[without] = -1.0
    nearest: np.ndarray = cosines.max(axis=1)
    return nearest


def _vectors(path: Path, model: str) -> np.ndarray:
    found = read_scene_descriptors(path, model).vectors
    return found.get("same", next(iter(found.values())))


def _path(store: Store, variant: str, model: str, sensor: Sensor) -> Path:
    return store.descriptors(variant, model) / f"drift-{sensor.name}.json"


def drift_figures(drifts: Sequence[Drift]) -> dict[str, float | int]:
    """Figures to show, by name."""
    figures: dict[str, float | int] = {}
    for drift in drifts:
        fields = asdict(drift) | {"share": drift.share, "least_share": drift.least_share}
        figures |= {f"drift_{drift.sensor}_{name}": value for name, value in fields.items() if name != "sensor"}
    return figures
