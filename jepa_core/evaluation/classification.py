"""Scene classification from frozen descriptors: k nearest neighbours and a linear probe, with few labels and with all.

The other question that papers of this field ask of an encoder. Both classifiers are scikit-learn's, with its defaults
but for what is named here.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.chance import expected_average_precision
from jepa_core.evaluation.protocols import Vectors
from jepa_core.evaluation.results import Classification
from jepa_core.vectors import serving

SHARES = (0.01, 0.1, 1.0)
"""Of the training labels."""

NEIGHBOURS = 10
"""Of the k-NN classifier, by cosine; the root of the number of training rows where that is less."""

MOST_STEPS = 500
"""Of the linear probe's solver; what it has reached by then is judged."""

_SEED = 0
"""Of the choice of labels; the same for all that is compared."""


def classify(data: LabelledSet, by_seed: Sequence[Vectors]) -> list[Classification]:
    """Both classifiers on each sensor's descriptors for searches within it.

    Args:
        data: the set.
        by_seed: descriptors, one a seed.

    Returns:
        For each sensor, share of the labels, classifier and metric; none where the training or the test split has no
        labels. Classes without a test row are in no mean over classes.
    """
    train, test = data.labelled_rows("train"), data.labelled_rows("test")
    if not len(train) or not len(test):
        return []
    results = []
    for sensor in data.sensors:
        head = serving("same", by_seed[0][sensor.name])
        for share in SHARES:
            chosen = choose(data.labels, train, share)
            for classifier in ("k-NN", "linear probe"):
                judged = [_judge(data, by_sensor[sensor.name][head], chosen, test, classifier) for by_sensor in by_seed]
                for metric, floor in _floors(data, chosen, test).items():
                    values = tuple(values[metric] for values in judged)
                    results.append(
                        Classification(
                            sensor=sensor.name,
                            head=head,
                            classifier=classifier,
                            share=share,
                            train=len(chosen),
                            test=len(test),
                            metric=metric,
                            value=float(np.mean(values)),
                            seeds=values,
                            chance=floor,
                        )
                    )
    return results


def choose(labels: np.ndarray, rows: np.ndarray, share: float) -> np.ndarray:
    """A share of rows, at least one of each class that they have; ascending.

    Rows are taken in a random order, those of the rarest classes first until each class has its part.

    Args:
        labels: booleans (all rows, classes).
        rows: those to choose from.
        share: from 0 to 1.
    """
    if share >= 1:
        return rows
    shuffled = np.random.default_rng(_SEED).permutation(rows)
    of_rows = labels[shuffled]
    taken = np.zeros(len(rows), bool)
    for column in np.argsort(of_rows.sum(axis=0), kind="stable"):
        has = of_rows[:, column]
        wanted = max(round(share * int(has.sum())), 1) if has.any() else 0
        missing = wanted - int((taken & has).sum())
        if missing > 0:
            taken[np.flatnonzero(has & ~taken)[:missing]] = True
    return np.sort(shuffled[taken])


def _judge(
    data: LabelledSet, vectors: np.ndarray, train: np.ndarray, test: np.ndarray, classifier: str
) -> dict[str, float]:
    scores = _scores(classifier, vectors[train], data.labels[train], vectors[test], data.multi_label)
    truth = data.labels[test]
    if not data.multi_label:
        return {"accuracy": float(truth[np.arange(len(test)), scores.argmax(axis=1)].mean())}
    present = truth.any(axis=0)
    return {
        f"{average} mAP": float(average_precision_score(truth[:, present], scores[:, present], average=average))
        for average in ("micro", "macro")
    }


def _scores(classifier: str, train: np.ndarray, labels: np.ndarray, test: np.ndarray, multi_label: bool) -> np.ndarray:
    """Probabilities (test, classes); 0 throughout for a class that no training row has."""
    if classifier == "k-NN":
        nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, round(len(train) ** 0.5)), metric="cosine").fit(train)
        shares: np.ndarray = labels[nearest.kneighbors(test, return_distance=False)].mean(axis=1)
        return shares
    scores = np.zeros((len(test), labels.shape[1]))
    if multi_label:
        for column in range(labels.shape[1]):
            there = labels[:, column]
            if there.any() and not there.all():
                scores[:, column] = _probe(train, there).predict_proba(test)[:, 1]
            else:
                scores[:, column] = there.any()
        return scores
    classes = labels.argmax(axis=1)
    present = np.unique(classes)
    scores[:, present] = 1.0 if len(present) == 1 else _probe(train, classes).predict_proba(test)
    return scores


def _probe(vectors: np.ndarray, truth: np.ndarray) -> Any:
    # Unit vectors of some dimensions vary little: without the scaler the penalty would decide.
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MOST_STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return probe.fit(vectors, truth)


def _floors(data: LabelledSet, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """What answering without looking gives: the most frequent class, or a random order."""
    labels = data.labels[test]
    if not data.multi_label:
        # A classifier that knows nothing is right as often as its answer is frequent.
        frequent = int(data.labels[train].sum(axis=0).argmax())
        return {"accuracy": max(float(labels[:, frequent].mean()), 1 / len(data.classes))}
    present = labels[:, labels.any(axis=0)]
    by_class = [expected_average_precision(int(column.sum()), len(test)) for column in present.T]
    return {
        "micro mAP": expected_average_precision(int(present.sum()), present.size),
        "macro mAP": float(np.mean(by_class)),
    }
