"""Classifiers on frozen descriptors."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jepa_core.evaluation.classification import choose, classify
from jepa_core.sensors import SENTINEL2
from tests.labelled import labelled_set


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def vectors_of(data, seed=0, told=3.0):
    """Vectors that say something of the labels, and much else."""
    rng = np.random.default_rng(seed)
    vectors = unit(told * data.labels @ rng.normal(size=(len(data.classes), 16)) + rng.normal(size=(len(data), 16)))
    return {sensor.name: {"same": vectors} for sensor in data.sensors}


def figure(found, classifier, share, metric):
    return next(f for f in found if (f.classifier, f.share, f.metric) == (classifier, share, metric))


def test_with_one_class_a_row_the_accuracy_is_scikit_learns():
    data = labelled_set(rows=400, sensors=(SENTINEL2,))
    vectors = vectors_of(data, told=1.0)
    found = classify(data, [vectors])
    train, test = data.rows("train"), data.rows("test")
    x, truth = vectors["sentinel2"]["same"], data.labels.argmax(axis=1)
    knn = KNeighborsClassifier(10, metric="cosine").fit(x[train], truth[train])
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x[train], truth[train])
    for name, model in (("k-NN", knn), ("linear probe", probe)):
        got = figure(found, name, 1.0, "accuracy")
        assert got.value == pytest.approx(model.score(x[test], truth[test]))
        assert (got.train, got.test, got.head) == (len(train), len(test), "same")
        assert got.chance == pytest.approx(0.25, abs=0.01)
        assert got.value > 0.35


def test_with_several_classes_a_row_it_is_average_precision():
    data = labelled_set(rows=300, sensors=(SENTINEL2,), multi_label=True)
    vectors = vectors_of(data)
    found = classify(data, [vectors])
    train, test = data.rows("train"), data.rows("test")
    x = vectors["sentinel2"]["same"]
    scores = np.stack(
        [
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            .fit(x[train], data.labels[train, c])
            .predict_proba(x[test])[:, 1]
            for c in range(4)
        ],
        axis=1,
    )
    for average in ("micro", "macro"):
        expected = average_precision_score(data.labels[test], scores, average=average)
        assert figure(found, "linear probe", 1.0, f"{average} mAP").value == pytest.approx(expected)


def test_the_floor_is_what_random_scores_reach():
    data = labelled_set(rows=300, sensors=(SENTINEL2,), multi_label=True)
    rng = np.random.default_rng(3)
    found = classify(data, [{"sentinel2": {"same": unit(rng.normal(size=(300, 8)))}}])
    truth = data.labels[data.rows("test")]
    for average in ("micro", "macro"):
        drawn = [average_precision_score(truth, rng.random(truth.shape), average=average) for _ in range(2000)]
        assert figure(found, "k-NN", 1.0, f"{average} mAP").chance == pytest.approx(np.mean(drawn), abs=0.004)


def test_several_seeds_give_each_value_and_their_mean():
    data = labelled_set(rows=200, sensors=(SENTINEL2,))
    found = classify(data, [vectors_of(data, seed, told=0.5) for seed in range(3)])
    got = figure(found, "k-NN", 0.1, "accuracy")
    assert len(set(got.seeds)) > 1
    assert got.value == pytest.approx(np.mean(got.seeds))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_share_of_the_labels_holds_every_class_and_is_the_same_each_time(share):
    labels = np.random.default_rng(1).random((500, 6)) < [0.5, 0.3, 0.1, 0.05, 0.01, 0.0]
    rows = np.flatnonzero(labels.any(axis=1))
    chosen = choose(labels, rows, share)
    np.testing.assert_array_equal(chosen, choose(labels, rows, share))
    assert set(chosen) <= set(rows)
    assert len(set(chosen)) == len(chosen)
    there = labels[rows].sum(axis=0)
    assert (labels[chosen].sum(axis=0) >= np.maximum(np.round(share * there), there > 0)).all()
    assert len(chosen) < 2 * share * len(rows) + 6


def test_without_training_labels_there_is_nothing_to_report():
    data = labelled_set(rows=80, sensors=(SENTINEL2,))
    labels = data.labels & (data.splits != "train")[:, None]
    assert classify(replace(data, labels=labels), [vectors_of(data)]) == []


def test_one_class_in_the_chosen_labels_is_the_only_answer():
    data = labelled_set(rows=80, sensors=(SENTINEL2,))
    labels = data.labels & ((data.splits != "train")[:, None] | (np.arange(4) == 0))
    found = classify(replace(data, labels=labels), [vectors_of(data)])
    assert figure(found, "linear probe", 1.0, "accuracy").value == pytest.approx(0.25)
