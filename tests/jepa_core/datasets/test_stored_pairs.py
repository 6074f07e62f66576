"""The pairs of a data root as a labelled set."""

import numpy as np

from jepa_core.datasets.stored_pairs import stored_pairs
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import SENTINEL1, SENTINEL2

SENSORS = (SENTINEL1, SENTINEL2)


def test_row_i_of_each_sensor_is_the_patch_that_pair_i_names(cut_store, pairs):
    shuffled = pairs.sample(frac=1, random_state=1).reset_index(drop=True)
    data = stored_pairs(cut_store, shuffled, SENSORS, "v")
    rows = np.array([5, 0, 9])
    for sensor, column in zip(SENSORS, ("patch_a", "patch_b"), strict=True):
        patches = read_patches(cut_store, sensor).set_index("patch_id", drop=False)
        wanted = patches.loc[shuffled[column].iloc[rows]]
        np.testing.assert_array_equal(data.read(sensor, rows), read_pixels(cut_store, sensor, wanted))
        for row, labels in zip(rows, wanted["labels"], strict=True):
            assert set(data.label_names(row)) >= set(labels)
    assert (data.splits == shuffled["split"]).all()
    assert data.version == "v"


def test_classes_are_those_that_occur_in_the_order_of_the_nomenclature(cut_store, pairs):
    data = stored_pairs(cut_store, pairs, SENSORS, "v")
    assert data.labels.any(axis=0).all()
    assert len(set(data.classes)) == len(data.classes)


def test_pairs_without_labels_and_no_pairs_at_all_are_sets_too(cut_store, pairs, monkeypatch):
    none = stored_pairs(cut_store, pairs.iloc[:0], SENSORS, "v")
    assert (len(none), none.labels.shape) == (0, (0, 0))

    def bare(store, sensor, columns):
        table = read_patches(store, sensor, columns)
        return table.assign(labels=[[]] * len(table))

    monkeypatch.setattr("jepa_core.datasets.stored_pairs.read_patches", bare)
    unlabelled = stored_pairs(cut_store, pairs, SENSORS, "v")
    assert unlabelled.labels.shape == (len(pairs), 0)
    assert len(unlabelled.labelled_rows("train")) == 0
    assert len(unlabelled.rows("train")) > 0
