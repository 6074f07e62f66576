"""Search: a patch or an image in, the nearest patches of a sensor out."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from jepa_core.catalog import current_index, current_model
from jepa_core.errors import NotMaterializedError, UnknownNameError
from jepa_core.index import DescriptorIndex, open_index
from jepa_core.patch_store import read_patches, read_pixels, stored_grid, stored_sensor, stored_sensors
from jepa_core.pictures import Tile, contact_sheet, preview
from jepa_core.query_image import read_query_image
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import records
from jepa_core.vectors import Purpose, serving


@dataclass(frozen=True)
class Hit:
    """One found patch."""

    patch_id: str
    """Its id."""

    score: float
    """Cosine with the query."""

    labels: tuple[str, ...]
    """Its classes, where it has any."""

    lon: float
    """Longitude of its centre, degrees."""

    lat: float
    """Latitude of its centre, degrees."""

    time: datetime
    """Of its acquisition, UTC."""

    is_pair: bool
    """Whether it shows the query's own cell."""


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    variant: str
    """Name of the method whose descriptors were compared."""

    query: str
    """Patch id or file."""

    query_sensor: Sensor
    """Sensor of the query."""

    query_labels: tuple[str, ...]
    """Classes of the query, where it has any."""

    query_pixels: np.ndarray
    """(bands, y, x)."""

    gallery_sensor: Sensor
    """Sensor of the hits."""

    comparable: bool
    """Whether the method's descriptors of the two sensors have anything to do with each other."""

    hits: tuple[Hit, ...]
    """Nearest first."""


def search_by_patch(store: Store, variant: str, patch_id: str, to: Sensor, k: int) -> Answer:
    """Patches most like one of the archive's own; the query itself is no hit.

    Raises:
        UnknownNameError: no such variant or patch.
        FingerprintMismatchError: the index is of another model than the current one.
        NotMaterializedError: no index yet; the message names the command.
    """
    index = open_index(current_index(store, variant))
    model = current_model(store, variant).fingerprint
    for sensor in stored_sensors(store):
        patches = read_patches(store, sensor).set_index("patch_id", drop=False)
        if patch_id in patches.index:
            break
    else:
        raise UnknownNameError(
            f"no patch {patch_id!r} in {store.root}; ids are listed in the patches.parquet files under "
            f"{store.root / 'patches'}"
        )
    row = patches.loc[[patch_id]]
    purpose = _purpose(sensor, to)
    vector = index.vector(patch_id, purpose, sensor)
    itself = sensor.name == to.name
    found = index.search(vector, model, purpose, to, k + 1 if itself else k)
    ranked = [(hit, score) for hit, score in zip(found.patch_ids[0], found.scores[0], strict=True) if hit != patch_id][
        :k
    ]
    return Answer(
        variant=variant,
        query=patch_id,
        query_sensor=sensor,
        query_labels=tuple(row["labels"].iloc[0]),
        query_pixels=read_pixels(store, sensor, row)[0],
        gallery_sensor=to,
        comparable=index.serves(purpose),
        hits=_hits(store, variant, to, ranked, row["cell_id"].iloc[0]),
    )


def search_by_image(store: Store, variant: str, path: Path, sensor: Sensor, to: Sensor, k: int) -> Answer:
    """Patches most like an image that the user brings.

    Raises:
        UnknownNameError: no such variant.
        QueryImageError: the file cannot serve as a query.
        FingerprintMismatchError: the index is of another model than the current one.
        NotMaterializedError: no index yet; the message names the command.
    """
    from jepa_core.model import load_model

    index: DescriptorIndex = open_index(current_index(store, variant))
    sensor = stored_sensor(store, sensor)
    pixels = read_query_image(path, sensor, stored_grid(store, sensor))
    model = load_model(current_model(store, variant).folder)
    purpose = _purpose(sensor, to)
    described = model.describe(pixels[None], sensor)
    vector = described[serving(purpose, described)]
    found = index.search(vector, model.fingerprint, purpose, to, k)
    ranked = list(zip(found.patch_ids[0], found.scores[0], strict=True))
    return Answer(
        variant=variant,
        query=str(path),
        query_sensor=sensor,
        query_labels=(),
        query_pixels=pixels,
        gallery_sensor=to,
        comparable=index.serves(purpose),
        hits=_hits(store, variant, to, ranked, None),
    )


def answer_sheet(store: Store, answer: Answer) -> bytes:
    """The query and its hits as pictures, five a row, as PNG; the query's own cell is framed."""
    rows = _rows(store, answer.variant, answer.gallery_sensor, [hit.patch_id for hit in answer.hits])
    gallery = stored_sensor(store, answer.gallery_sensor)
    pixels = read_pixels(store, gallery, rows)
    query = Tile(
        preview(answer.query_pixels, answer.query_sensor),
        f"QUERY\n{', '.join(answer.query_labels)}",
    )
    tiles = [
        Tile(
            preview(image, gallery),
            f"{rank}. cosine {hit.score:.2f}\n{', '.join(hit.labels)}",
            framed=hit.is_pair,
        )
        for rank, (hit, image) in enumerate(zip(answer.hits, pixels, strict=True), start=1)
    ]
    sheet = [[query, *tiles[:5]]] + [
        [Tile(np.full((1, 1, 3), 255, np.uint8), ""), *tiles[i : i + 5]] for i in range(5, len(tiles), 5)
    ]
    title = f"{answer.query_sensor.name} {Path(answer.query).name} among {answer.gallery_sensor.name} patches"
    if any(hit.is_pair for hit in answer.hits):
        title += " (framed: the same place)"
    return contact_sheet(title, sheet)


def _purpose(sensor: Sensor, to: Sensor) -> Purpose:
    return "same" if sensor.name == to.name else "cross"


def _rows(store: Store, variant: str, sensor: Sensor, patch_ids: list[str]) -> pd.DataFrame:
    patches = read_patches(store, sensor).set_index("patch_id", drop=False)
    withdrawn = [patch_id for patch_id in patch_ids if patch_id not in patches.index]
    if withdrawn:
        raise NotMaterializedError(
            f"the index is behind the patches: {withdrawn[0]} is gone. "
            f"Run: dagster asset materialize --select {variant}_index"
        )
    return patches.loc[patch_ids]


def _hits(
    store: Store, variant: str, sensor: Sensor, ranked: list[tuple[str, float]], cell_id: str | None
) -> tuple[Hit, ...]:
    rows = _rows(store, variant, sensor, [patch_id for patch_id, _ in ranked])
    return tuple(
        Hit(
            patch_id=patch_id,
            score=score,
            labels=tuple(row["labels"]),
            lon=row["lon"],
            lat=row["lat"],
            time=row["time"].to_pydatetime(),
            is_pair=row["cell_id"] == cell_id,
        )
        for (patch_id, score), row in zip(ranked, records(rows), strict=True)
    )
