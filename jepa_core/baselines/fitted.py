"""Baselines whose features are standardised by the training rows, and across sensors brought together by a ridge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from jepa_core.baselines.features import band_means_and_deviations, thumbnail
from jepa_core.baselines.training_rows import MOST_ROWS, check_training_rows, training_features
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
class Fit:
    """What the training rows gave."""

    spaces: Mapping[str, Space]
    """By sensor name, in the set's order."""

    bridge: Ridge | None
    """From the first sensor's vectors to the second's; None for one sensor."""


@dataclass(frozen=True)
class Fitted:
    """A baseline of one sensor or of two. It is fitted when that is first needed: a report that is current needs none.

    Two sensors' features have nothing in common to compare. For searches across sensors, those of the first are
    brought to the second's by a ridge regression on the training pairs: the least that can be done.
    """

    name: str
    """Of the baseline."""

    fingerprint: str
    """Over the set, its sensors, the seed, the settings and the code."""

    sensors: tuple[Sensor, ...]
    """Of the set."""

    make: Callable[[], Fit] = field(repr=False)
    """Reads the training rows and fits."""

    @cached_property
    def fit(self) -> Fit:
        """What the training rows gave."""
        return self.make()

    @property
    def parameters(self) -> int:
        """Fitted numbers, over all sensors and what is between them."""
        bridge = self.fit.bridge
        between = 0 if bridge is None else bridge.coef_.size + np.size(bridge.intercept_)
        return sum(space.parameters for space in self.fit.spaces.values()) + int(between)

    def describe(self, pixels: np.ndarray, sensor: Sensor) -> dict[Purpose, np.ndarray]:
        """See `Describer.describe`; `cross` is there where there are two sensors.

        Raises:
            UnknownNameError: the baseline was not fitted on this sensor with these bands.
        """
        if (sensor.name, sensor.band_names) not in [(known.name, known.band_names) for known in self.sensors]:
            known = "; ".join(f"{known.name} {', '.join(known.band_names)}" for known in self.sensors)
            raise UnknownNameError(
                f"{self.name} was fitted on {known}, not on {sensor.name} {', '.join(sensor.band_names)}"
            )
        space, bridge = self.fit.spaces[sensor.name], self.fit.bridge
        vectors = space.standardised(space.features(pixels, sensor))
        same = unit(vectors)
        if bridge is None:
            return {"same": same}
        return {"same": same, "cross": unit(bridge.predict(vectors)) if sensor.name == self.sensors[0].name else same}


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
    """A baseline of a set, which is not fitted yet; without components there is no reduction."""
    check_training_rows(data)
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
    return Fitted(name, fingerprint(about), data.sensors, partial(_fit, data, seed, features, components))


def _fit(data: LabelledSet, seed: int, features: Features, components: int) -> Fit:
    spaces: dict[str, Space] = {}
    trained: list[np.ndarray] = []
    for sensor in data.sensors:
        found = training_features(data, sensor, features)
        scaler = StandardScaler().fit(found)
        # Zeros are what `standardised` makes of what is not known.
        reduction = _reduction(np.nan_to_num(scaler.transform(found), nan=0.0), components, seed)
        spaces[sensor.name] = Space(sensor, features, scaler, reduction)
        trained.append(spaces[sensor.name].standardised(found))
    return Fit(spaces, Ridge(alpha=RIDGE_ALPHA).fit(trained[0], trained[1]) if len(trained) > 1 else None)


def _reduction(standardised: np.ndarray, components: int, seed: int) -> PCA | None:
    if not components:
        return None
    # Rows less their mean span a dimension less than there are rows.
    most = min(components, len(standardised) - 1, standardised.shape[1])
    return PCA(most, svd_solver="randomized", random_state=seed).fit(standardised)
