"""Every baseline by name."""

from collections.abc import Callable, Mapping

from jepa_core.baselines.fitted import band_statistics, principal_components, thumbnails
from jepa_core.baselines.random_encoder import random_encoder
from jepa_core.baselines.random_vectors import random_vectors
from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.errors import UnknownNameError
from jepa_core.evaluation.describer import Describer

Maker = Callable[[LabelledSet, int], Describer]
"""A set, whose training rows are fitted on, and a seed to a describer."""

BASELINES: Mapping[str, Maker] = {
    "random-vectors": random_vectors,
    "band-statistics": band_statistics,
    "thumbnail": thumbnails,
    "pca": principal_components,
    "random-encoder": random_encoder,
}
"""In the order in which more goes into them."""


def baseline(name: str, data: LabelledSet, seed: int) -> Describer:
    """A baseline for a set.

    Raises:
        UnknownNameError: none has that name; the message lists those there are.
        BaselineError: the set does not allow it.
    """
    if name not in BASELINES:
        raise UnknownNameError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
    return BASELINES[name](data, seed)
