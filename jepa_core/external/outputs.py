"""What an encoder gives, checked and brought to unit vectors."""

import numpy as np

from jepa_core.external.settings import EncoderError
from jepa_core.vectors import unit


def unit_features(features: np.ndarray, patches: int, what: str) -> np.ndarray:
    """Unit vectors of features; of tokens, of their mean.

    Args:
        features: what the encoder gave for a batch.
        patches: size of that batch.
        what: names the encoder in an error.

    Returns:
        float32 (patches, dimension).

    Raises:
        EncoderError: another number of rows, another shape, or values that are not finite.
    """
    features = np.asarray(features)
    if features.ndim not in (2, 3) or len(features) != patches or 0 in features.shape[1:]:
        raise EncoderError(
            f"{what} gave {features.shape} for {patches} patches; "
            f"({patches}, dimension) or ({patches}, tokens, dimension) is needed"
        )
    if features.dtype.kind != "f":
        raise EncoderError(f"{what} gave {features.dtype}, not floating point numbers")
    wide = features.astype(np.float64)
    pooled = wide.mean(axis=1) if wide.ndim == 3 else wide
    bad = int((~np.isfinite(pooled).all(axis=1)).sum())
    if bad:
        raise EncoderError(f"{what} gave values that are not finite for {bad} of {patches} patches")
    return unit(pooled)
