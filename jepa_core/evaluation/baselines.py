"""Descriptors that cost nothing: what a trained model has to beat."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler, normalize

from jepa_core.cutting import valid_mask
from jepa_core.sensors import Sensor


def band_statistics_vectors(pixels: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Mean and standard deviation of each band over a patch's valid pixels.

    Args:
        pixels: (patches, bands, y, x) in the sensor's unit.
        sensor: the sensor.

    Returns:
        float64 (patches, 2 x bands): the means, then the deviations; 0 for a patch without a valid pixel.
    """
    valid = valid_mask(pixels, sensor)[:, None]
    values = np.where(valid, pixels, 0).astype(np.float64)
    count = np.maximum(valid.sum(axis=(2, 3)), 1)
    mean = values.sum(axis=(2, 3)) / count
    spread = np.where(valid, (values - mean[..., None, None]) ** 2, 0).sum(axis=(2, 3)) / count
    return np.concatenate([mean, np.sqrt(spread)], axis=1)


def same_sensor_similarity(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Cosines of the test vectors, standardised by the training vectors.

    Args:
        train: (training patches, dimension).
        test: (test patches, dimension).

    Returns:
        (test, test).
    """
    unit = normalize(StandardScaler().fit(train).transform(test))
    return np.asarray(unit @ unit.T)


def cross_sensor_similarity(
    train_query: np.ndarray, train_gallery: np.ndarray, query: np.ndarray, gallery: np.ndarray
) -> np.ndarray:
    """Cosines of the gallery with what a ridge regression on the training pairs makes of the queries.

    Two sensors' statistics have nothing in common to compare; the regression, fitted on the pairs that a method is
    trained on, is the least that can be done about it.

    Args:
        train_query: statistics of the training pairs by the query's sensor, (pairs, dimension).
        train_gallery: of the same pairs by the gallery's sensor, (pairs, other dimension).
        query: test patches of the query's sensor.
        gallery: test patches of the gallery's sensor.

    Returns:
        (queries, gallery).
    """
    of_query, of_gallery = StandardScaler().fit(train_query), StandardScaler().fit(train_gallery)
    fit = Ridge(alpha=1.0).fit(of_query.transform(train_query), of_gallery.transform(train_gallery))
    predicted = normalize(fit.predict(of_query.transform(query)))
    return np.asarray(predicted @ normalize(of_gallery.transform(gallery)).T)
