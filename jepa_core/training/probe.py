"""A small search among labelled validation pairs while a method trains; labels train nothing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import MultiLabelBinarizer

from jepa_core.evaluation.pair_f1 import chance_f1, f1_at_k, pair_f1, rank
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import Sensor
from jepa_core.statistics import normalise
from jepa_core.store import Store
from jepa_core.training.cache import TrainingCache
from jepa_core.training.watch import Row
from jepa_core.variants.variant import Variant
from jepa_core.vectors import Purpose, serving

_K = 5
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
        f1 = pair_f1(self.labels, self.labels)
        itself = np.eye(len(f1), dtype=bool)
        figures = {"probe_chance": float(chance_f1(f1, itself).mean())}
        vectors = {name: self._vectors(variant, cache, name) for name in self.sensors}
        for query, of_query in self.sensors.items():
            for gallery, of_gallery in self.sensors.items():
                kind = serving("same" if query == gallery else "cross", variant.purposes)
                ranking = rank(vectors[query][kind] @ vectors[gallery][kind].T, itself, _K)
                figures[f"probe_f1_{of_query.short}_to_{of_gallery.short}"] = float(f1_at_k(f1, ranking).mean())
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


def probe_of(store: Store, pairs: pd.DataFrame, sensors: tuple[Sensor, Sensor]) -> Probe | None:
    """The probe on the validation split's labelled pairs; None where there are too few to search among.

    Args:
        store: the data root.
        pairs: all pairs (schema `tables.PAIRS`).
        sensors: of `patch_a` and `patch_b`.
    """
    chosen = pairs[pairs["split"] == "val"]
    tables = [read_patches(store, sensor).set_index("patch_id", drop=False) for sensor in sensors]
    columns = ("patch_a", "patch_b")
    for table, column in zip(tables, columns, strict=True):
        chosen = chosen[table.loc[chosen[column], "labels"].map(len).gt(0).to_numpy()]
    # Evenly over the table, which is ordered by cell.
    chosen = chosen.iloc[np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), _MOST)).astype(int))]
    if len(chosen) < _K + 2:
        return None
    labels = tables[0].loc[chosen[columns[0]], "labels"]
    return Probe(
        pixels={
            sensor.name: read_pixels(store, sensor, table.loc[chosen[column]])
            for sensor, table, column in zip(sensors, tables, columns, strict=True)
        },
        sensors={sensor.name: sensor for sensor in sensors},
        labels=MultiLabelBinarizer().fit_transform(labels).astype(bool),
    )
