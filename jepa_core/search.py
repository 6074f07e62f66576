"""Search: patches, images or places in, the nearest patches of a sensor out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from jepa_core.catalog import current_model
from jepa_core.errors import JepaError, NotMaterializedError, UnknownNameError
from jepa_core.index.errors import check_model
from jepa_core.index.filters import EVERYTHING, Filter
from jepa_core.index.reader import Searchable
from jepa_core.index.rows import Patch
from jepa_core.index.sync import CurrentIndex, current_index, open_current
from jepa_core.patch_store import stored_grid, stored_sensor
from jepa_core.query_image import read_query_image
from jepa_core.sensors import SENSORS, Sensor
from jepa_core.store import Store
from jepa_core.vectors import Purpose, serving

_UNLIKE = 0.5
"""Weight of what hits should not look like beside what they should: 2 x wanted - unwanted, as in GeoVibes."""


@dataclass(frozen=True)
class StoredPatch:
    """A patch of the archive as an example."""

    patch_id: str
    """Its id."""


@dataclass(frozen=True)
class ImageFile:
    """An image that the user brings as an example."""

    path: Path
    """GeoTIFF with named bands, or a folder with a file a band."""

    sensor: Sensor
    """What took it."""


@dataclass(frozen=True)
class Place:
    """The patch of the archive that shows a point, as an example."""

    lon: float
    """Degrees."""

    lat: float
    """Degrees."""

    sensor: Sensor
    """Whose patch."""

    time: datetime | None = None
    """The one nearest to it, with a time zone; the latest where None."""

    def __post_init__(self) -> None:
        """Refuses what is no place.

        Raises:
            JepaError: it is none.
        """
        if not (-180 <= self.lon <= 180 and -90 <= self.lat <= 90):
            raise JepaError(f"{self.lon:g}, {self.lat:g} is no longitude and latitude in degrees")


Example = StoredPatch | ImageFile | Place


@dataclass(frozen=True)
class Described:
    """An example with its vector."""

    name: str
    """Patch id or file."""

    sensor: Sensor
    """What took it."""

    vector: np.ndarray
    """Unit norm, (dimension,)."""

    patch: Patch | None
    """Where it is a patch of the archive."""

    pixels: np.ndarray | None
    """(bands, y, x), where it is an image."""


@dataclass(frozen=True)
class Hit:
    """One found patch."""

    patch: Patch
    """The patch."""

    score: float
    """Cosine with the query."""

    is_pair: bool
    """Whether it shows an example's own cell."""


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    variant: str
    """Name of the method whose descriptors were compared."""

    like: tuple[Described, ...]
    """What hits should look like."""

    unlike: tuple[Described, ...]
    """What they should not look like."""

    gallery_sensor: Sensor
    """Sensor of the hits."""

    comparable: bool
    """Whether the method's descriptors of the two sensors have anything to do with each other."""

    outdated: bool
    """Whether a newer model was trained, whose index is not made yet."""

    hits: tuple[Hit, ...]
    """Nearest first."""


def search(
    store: Store,
    variant: str,
    like: Sequence[Example],
    to: Sensor,
    k: int,
    *,
    unlike: Sequence[Example] = (),
    where: Filter = EVERYTHING,
    one_per_cell: bool = False,
) -> Answer:
    """Patches most like some examples and least like others; the archive's own examples are no hits.

    The query is the mean of the examples' vectors, less half the mean of the others' (after Rocchio 1971). Examples of
    the gallery's sensor alone are compared by the descriptors for searches within a sensor, else by those for across.

    Args:
        store: the data root.
        variant: name of the method.
        like: at least one.
        to: sensor of the gallery.
        k: hits wanted.
        unlike: what hits should not look like.
        where: what hits have to meet.
        one_per_cell: of several patches of one cell only the nearest.

    Raises:
        UnknownNameError: no such variant or patch, or no patch shows the place.
        QueryImageError: a file cannot serve as an example.
        FingerprintMismatchError: the model in the index's place is not the one that made it.
        NotMaterializedError: no index yet; the message names the command.
    """
    if not like:
        raise JepaError("at least one example is needed of what hits should look like")
    current = current_index(store, variant)
    index = open_current(current)
    sensors = [_sensor_of(index, example) for example in (*like, *unlike)]
    purpose: Purpose = "same" if all(sensor.name == to.name for sensor in sensors) else "cross"
    wanted, unwanted = (
        tuple(_described(store, variant, current, index, example, purpose) for example in examples)
        for examples in (like, unlike)
    )
    query = np.mean([example.vector for example in wanted], axis=0)
    if unwanted:
        query = query - _UNLIKE * np.mean([example.vector for example in unwanted], axis=0)
    length = float(np.linalg.norm(query))
    if length < 1e-3:
        raise JepaError("the examples cancel each other out: nothing is left to look for")
    cells = {example.patch.cell_id for example in wanted if example.patch is not None}
    own = {example.name for example in (*wanted, *unwanted) if example.patch is not None}
    found = index.search(query[None] / length, current.model, purpose, to, k, where, one_per_cell, own)
    return Answer(
        variant=variant,
        like=wanted,
        unlike=unwanted,
        gallery_sensor=to,
        comparable=index.serves(purpose),
        outdated=_outdated(store, variant, current),
        hits=tuple(
            Hit(patch, score, patch.cell_id in cells)
            for patch, score in zip(found.patches[0], found.scores[0], strict=True)
        ),
    )


def _sensor_of(index: Searchable, example: Example) -> Sensor:
    return _stored(index, example.patch_id)[0] if isinstance(example, StoredPatch) else example.sensor


def _stored(index: Searchable, patch_id: str) -> tuple[Sensor, Patch]:
    for sensor in SENSORS.values():
        patch = index.patch(patch_id, sensor)
        if patch is not None:
            return sensor, patch
    raise UnknownNameError(f"no patch {patch_id!r} in the index; ids are those of the patches.parquet files")


def _described(
    store: Store, variant: str, current: CurrentIndex, index: Searchable, example: Example, purpose: Purpose
) -> Described:
    if isinstance(example, ImageFile):
        return _described_image(store, variant, current, example, purpose)
    if isinstance(example, Place):
        sensor, patch = example.sensor, _shown_at(index, example)
    else:
        sensor, patch = _stored(index, example.patch_id)
    return Described(patch.patch_id, sensor, index.vector(patch.patch_id, purpose, sensor)[0], patch, None)


def _described_image(
    store: Store, variant: str, current: CurrentIndex, example: ImageFile, purpose: Purpose
) -> Described:
    from jepa_core.model import load_model

    if not current.model_folder.exists():
        raise NotMaterializedError(
            f"the model of the {variant} index, {current.model_folder}, is gone: images cannot be described. "
            f"Run: dagster asset materialize --select {variant}_index"
        )
    sensor = stored_sensor(store, example.sensor)
    pixels = read_query_image(example.path, sensor, stored_grid(store, sensor))
    model = load_model(current.model_folder)
    check_model(model.fingerprint, current.model, "queries", variant)
    vectors = model.describe(pixels[None], sensor)
    vector = vectors[serving(purpose, vectors)][0]
    return Described(str(example.path), sensor, vector, None, pixels)


def _shown_at(index: Searchable, place: Place) -> Patch:
    shown = index.covering(place.lon, place.lat, place.sensor)
    if not shown:
        raise UnknownNameError(
            f"no {place.sensor.name} patch in the index shows longitude {place.lon:g}, latitude {place.lat:g}"
        )
    if place.time is None:
        return max(shown, key=lambda patch: patch.time)
    moment = place.time
    return min(shown, key=lambda patch: abs(patch.time - moment))


def _outdated(store: Store, variant: str, current: CurrentIndex) -> bool:
    try:
        return current_model(store, variant).fingerprint != current.model
    except NotMaterializedError:
        # The index stands without its model.
        return False
