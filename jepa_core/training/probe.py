"""A small search among labelled validation pairs while a method trains; labels train nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jepa_core import atomic
from jepa_core.choice import evenly
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.chance import expected_f1
from jepa_core.evaluation.metrics import measure, summarise
from jepa_core.evaluation.retrieval import NONE, RetrievalTask
from jepa_core.sensors import Sensor, sensor_from_json, sensor_to_json
from jepa_core.statistics import normalise
from jepa_core.training.cache import TrainingCache, write_pixels
from jepa_core.training.watch import Row
from jepa_core.variants.variant import Variant
from jepa_core.vectors import Purpose, serving

_K = 5
_METRIC = f"f1_a@{_K}"
_MOST = 256
"""Pairs that are held in memory and described each time."""

_AT_ONCE = 32


@dataclass(frozen=True)
class Probe:
    """Labelled validation pairs."""

    pixels: dict[str, np.ndarray]
    """By sensor name, (pairs, bands, y, x) in the sensor's unit."""

    sensors: dict[str, Sensor]
    """By sensor name."""

    labels: np.ndarray
    """Booleans (pairs, classes)."""

    @torch.inference_mode()
    def __call__(self, variant: Variant, cache: TrainingCache) -> Row:
        """F1@5 (definition A) of the nearest five in each direction, the query and its own pair left out.

        Args:
            variant: the method, left in the mode that it was in.
            cache: whose statistics the images are normalised with.
        """
        training = variant.training
        variant.eval()
        itself = np.arange(len(self.labels))
        nobody = np.full(len(itself), NONE)
        figures = {}
        vectors = {name: self._vectors(variant, cache, name) for name in self.sensors}
        for query, of_query in self.sensors.items():
            for gallery, of_gallery in self.sensors.items():
                kind = serving("same" if query == gallery else "cross", variant.purposes)
                found = vectors[query][kind], vectors[gallery][kind]
                task = RetrievalTask(*found, self.labels, self.labels, left_out=itself, partner=nobody)
                figures["probe_chance"] = float(expected_f1(task).mean())
                figures[f"probe_f1_{of_query.short}_to_{of_gallery.short}"] = summarise(measure(task))[_METRIC]
        variant.train(training)
        return figures

    def _vectors(self, variant: Variant, cache: TrainingCache, name: str) -> dict[Purpose, np.ndarray]:
        on = next(variant.parameters()).device
        found: dict[Purpose, list[np.ndarray]] = {purpose: [] for purpose in variant.purposes}
        for start in range(0, len(self.labels), _AT_ONCE):
            pixels = self.pixels[name][start : start + _AT_ONCE]
            images = torch.from_numpy(normalise(pixels, self.sensors[name], cache.statistics[name])).to(on)
            for purpose, vectors in variant.describe(images, name).items():
                found[purpose].append(vectors.float().cpu().numpy())
        return {purpose: np.concatenate(parts) for purpose, parts in found.items()}


def build_probe(folder: Path, data: LabelledSet) -> bool:
    """Lays down labelled pairs of the validation split; nothing to do where the folder is there.

    Args:
        folder: where they go.
        data: the set.

    Returns:
        Whether there is a probe: no where there are too few pairs to search among.
    """
    rows = data.labelled_rows("val")
    # Evenly over the set, which may be ordered by place or by class.
    rows = rows[evenly(len(rows), _MOST)]
    if len(rows) < _K + 2:
        return False
    if not folder.exists():
        with atomic.new_folder(folder) as temporary:
            for sensor in data.sensors:
                write_pixels(temporary / f"{sensor.name}.npy", data, sensor, rows)
            np.save(temporary / "labels.npy", data.labels[rows])
            atomic.write_json(temporary / "probe.json", [sensor_to_json(sensor) for sensor in data.sensors])
    return True


def open_probe(folder: Path) -> Probe:
    """The probe in a folder that `build_probe` made."""
    sensors = [sensor_from_json(fields) for fields in atomic.read_json(folder / "probe.json")]
    return Probe(
        pixels={sensor.name: np.load(folder / f"{sensor.name}.npy") for sensor in sensors},
        sensors={sensor.name: sensor for sensor in sensors},
        labels=np.load(folder / "labels.npy"),
    )
