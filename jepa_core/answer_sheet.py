"""What a search found, as pictures."""

from collections.abc import Sequence

import numpy as np

from jepa_core.errors import NotMaterializedError
from jepa_core.index.rows import Patch
from jepa_core.patch_store import read_manifest, read_pixels, stored_sensor
from jepa_core.pictures import PAIRED, Tile, contact_sheet, preview
from jepa_core.search import Answer, Described
from jepa_core.sensors import Sensor
from jepa_core.store import Store
from jepa_core.tables import PATCHES, read_tables

_WIDTH = 5
"""Hits in a row."""


def answer_sheet(store: Store, answer: Answer) -> bytes:
    """The examples and the hits as pictures, five a row, as PNG; the examples' own cells are framed.

    Raises:
        NotMaterializedError: a patch is in the index and no longer in the archive; the message names the command.
    """
    gallery = stored_sensor(store, answer.gallery_sensor)
    pixels = _pixels(store, answer.variant, gallery, [hit.patch for hit in answer.hits])
    tiles = [
        Tile(
            preview(image, gallery),
            f"{rank}. cosine {hit.score:.2f}\n{', '.join(hit.patch.labels)}",
            frame=PAIRED if hit.is_pair else None,
        )
        for rank, (hit, image) in enumerate(zip(answer.hits, pixels, strict=True), start=1)
    ]
    examples = [_tile(store, answer, example, "QUERY") for example in answer.like]
    examples += [_tile(store, answer, example, "NOT LIKE") for example in answer.unlike]
    rows = [tiles[start : start + _WIDTH] for start in range(0, len(tiles), _WIDTH)]
    blank = Tile(np.full((1, 1, 3), 255, np.uint8), "")
    count = max(len(rows), len(examples))
    sheet = [[examples[i] if i < len(examples) else blank, *(rows[i] if i < len(rows) else [])] for i in range(count)]
    first = answer.like[0]
    more = f" and {len(answer.like) - 1} more" if len(answer.like) > 1 else ""
    title = f"{first.sensor.name} {first.name.rsplit('/', 1)[-1]}{more} among {answer.gallery_sensor.name} patches"
    if any(hit.is_pair for hit in answer.hits):
        title += " (framed: the same place)"
    return contact_sheet(title, sheet)


def _tile(store: Store, answer: Answer, example: Described, what: str) -> Tile:
    sensor = stored_sensor(store, example.sensor)
    if example.patch is None:
        assert example.pixels is not None
        return Tile(preview(example.pixels, sensor), what)
    pixels = _pixels(store, answer.variant, sensor, [example.patch])[0]
    return Tile(preview(pixels, sensor), f"{what}\n{', '.join(example.patch.labels)}")


def _pixels(store: Store, variant: str, sensor: Sensor, patches: Sequence[Patch]) -> np.ndarray:
    manifest = read_manifest(store, sensor)
    folders = dict(zip(manifest["scene_id"], manifest["folder"], strict=True))
    scenes = list(dict.fromkeys(patch.scene_id for patch in patches))
    gone = [scene for scene in scenes if scene not in folders]
    if gone:
        raise NotMaterializedError(
            f"the index is behind the patches: the {sensor.name} scene {gone[0]} is gone. "
            f"Run: dagster asset materialize --select {variant}_index"
        )
    if not scenes:
        return np.empty((0, len(sensor.bands), 1, 1))
    root = store.patches(sensor)
    table = read_tables(
        [root / folders[scene] / "patches.parquet" for scene in scenes], PATCHES, f"{sensor.name} patches"
    ).set_index("patch_id", drop=False)
    gone = [patch.patch_id for patch in patches if patch.patch_id not in table.index]
    if gone:
        raise NotMaterializedError(
            f"the index is behind the patches: {gone[0]} is gone. "
            f"Run: dagster asset materialize --select {variant}_index"
        )
    return read_pixels(store, sensor, table.loc[[patch.patch_id for patch in patches]])
