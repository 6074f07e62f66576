"""Baselines whose features are standardised by the training rows, and across sensors brought together by a ridge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from jepa_core.baselines.features import band_means_and_deviations, thumbnail
from jepa_core.baselines.training_rows import MOST_ROWS, BaselineError, training_features
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import UnknownNameError
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor, sensor_to_json
from jepa_core.vectors import Purpose, unit

THUMBNAIL_SIDE = 8
"""Squares along a side of `thumbnail`: 64 figures a band."""

PCA_SIDE = 16
"""Squares along a side of what `pca` is fitted on."""

PCA_COMPONENTS = 64
"""Components that `pca` keeps; fewer where there are fewer rows or figures."""

RIDGE_ALPHA = 1.0
"""Weight of the penalty; features have a variance of 1."""

_CODE = 1
"""Counts changes of what the vectors are."""

Features = Callable[[np.ndarray, Sensor], np.ndarray]
"""Pixels (patches, bands, y, x) and sensor to (patches, features); NaN for what no pixel says."""


@dataclass(frozen=True)
class Space:
    """One sensor's features, standardised and perhaps reduced."""

    sensor: Sensor
    """Whose patches it takes."""

    features: Features
    """Of a patch."""

    scaler: StandardScaler
    """Mean and standard deviation of each feature over the training rows."""

    reduction: PCA | None
    """What follows; None where nothing does."""

    def standardised(self, features: np.ndarray) -> np.ndarray:
        """Features less their mean, over their deviation; what is not known is put at the mean. float64."""
        scaled = np.nan_to_num(self.scaler.transform(features), nan=0.0)
        return np.asarray(scaled if self.reduction is None else self.reduction.transform(scaled))

    @property
    def parameters(self) -> int:
        """Fitted numbers."""
        scales = self.scaler.mean_.size + self.scaler.scale_.size
        if self.reduction is None:
            return int(scales)
        return int(scales + self.reduction.components_.size + self.reduction.mean_.size)


@dataclass(frozen=True)
class Fitted:
    """A baseline of one sensor or of two.

    Two sensors' features have nothing in common to compare. For searches across sensors, those of the first are
    brought to the second's by a ridge regression on the training pairs: the least that can be done.
    """

    name: str
    """Of the baseline."""

    fingerprint: str
    """Over the set, the seed, the settings and the code."""

    spaces: Mapping[str, Space]
    """By sensor name, in the set's order."""

    bridge: Ridge | None
    """From the first sensor's vectors to the second's; None for one sensor."""

    @property
    def parameters(self) -> int:
        """Fitted numbers, over all sensors and what is between them."""
        between = 0 if self.bridge is None else self.bridge.coef_.size + np.size(self.bridge.intercept_)
        return sum(space.parameters for space in self.spaces.values()) + int(between)

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """See `Describer.describe`; `cross` is there where there are two sensors.

        Raises:
            UnknownNameError: the baseline was not fitted on this sensor with these bands.
        """
        space = self.spaces.get(sensor.name)
        if space is None or space.sensor.band_names != sensor.band_names:
            known = "; ".join(f"{s.sensor.name} {', '.join(s.sensor.band_names)}" for s in self.spaces.values())
            raise UnknownNameError(
                f"{self.name} was fitted on {known}, not on {sensor.name} {', '.join(sensor.band_names)}"
            )
        vectors = space.standardised(space.features(pixels, sensor))
        same = unit(vectors)
        if self.bridge is None:
            return {"same": same}
        first = sensor.name == next(iter(self.spaces))
        return {"same": same, "cross": unit(self.bridge.predict(vectors)) if first else same}


def band_statistics(data: LabelledSet, seed: int) -> Fitted:
    """Mean and standard deviation of each band over a patch's valid pixels.

    Raises:
        BaselineError: too few training rows, or none with a valid pixel.
    """
    return _fitted("band-statistics", data, seed, band_means_and_deviations, {})


def thumbnails(data: LabelledSet, seed: int) -> Fitted:
    """Each band as 8 x 8 means.

    Raises:
        BaselineError: too few training rows, or none with a valid pixel.
    """
    features = partial(thumbnail, side=THUMBNAIL_SIDE)
    return _fitted("thumbnail", data, seed, features, {"side": THUMBNAIL_SIDE})


def principal_components(data: LabelledSet, seed: int) -> Fitted:
    """Principal components of 16 x 16 means of each band.

    They are not whitened: components of little spread would weigh as much as those that tell classes apart. On 8,000
    images of EuroSAT RGB, 2,500 of them for testing, whitening lowered the precision of the first five from 0.38 to
    0.34 and the mean average precision from 0.24 to 0.21.

    Raises:
        BaselineError: too few training rows, or none with a valid pixel.
    """
    features = partial(thumbnail, side=PCA_SIDE)
    return _fitted("pca", data, seed, features, {"side": PCA_SIDE, "components": PCA_COMPONENTS}, PCA_COMPONENTS)


def _fitted(
    name: str, data: LabelledSet, seed: int, features: Features, settings: Mapping[str, Any], components: int = 0
) -> Fitted:
    """A baseline fitted on a set's training rows; without components there is no reduction."""
    spaces: dict[str, Space] = {}
    trained: list[np.ndarray] = []
    for sensor in data.sensors:
        found = training_features(data, sensor, features)
        if np.isnan(found).all():
            raise BaselineError(f"no training row of {data.name} has a valid {sensor.name} pixel")
        scaler = StandardScaler().fit(found)
        # Zeros are what `standardised` makes of what is not known.
        reduction = _reduction(np.nan_to_num(scaler.transform(found), nan=0.0), components, seed)
        spaces[sensor.name] = Space(sensor, features, scaler, reduction)
        trained.append(spaces[sensor.name].standardised(found))
    bridge = Ridge(alpha=RIDGE_ALPHA).fit(trained[0], trained[1]) if len(trained) > 1 else None
    about = {
        "baseline": name,
        "code": _CODE,
        "set": data.version,
        "rows": MOST_ROWS,
        "seed": seed,
        "settings": dict(settings),
        "ridge": RIDGE_ALPHA,
        "sensors": [sensor_to_json(sensor) for sensor in data.sensors],
    }
    return Fitted(name, fingerprint(about), spaces, bridge)


def _reduction(standardised: np.ndarray, components: int, seed: int) -> PCA | None:
    if not components:
        return None
    # Rows less their mean span a dimension less than there are rows.
    most = min(components, len(standardised) - 1, standardised.shape[1])
    return PCA(most, svd_solver="randomized", random_state=seed).fit(standardised)
