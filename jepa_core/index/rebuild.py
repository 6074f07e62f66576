"""What keeps an index small, fast and true: putting segments together, and quantisers that fit what it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from jepa_core.index import coarse, incoming, quality, sensor_index
from jepa_core.index.coarse import Coarse, Trained
from jepa_core.index.reader import open_sensor
from jepa_core.index.segment import check_content, joined, relist_segment, write_segment
from jepa_core.index.sensor_index import SensorIndex
from jepa_core.index.state import IndexState, SegmentState, SensorState
from jepa_core.progress import track
from jepa_core.vectors import Purpose

_TOGETHER = 4
"""Segments of about one size that are put together; sizes are told apart by this factor."""

_SMALLEST = 4096
"""Segments of fewer vectors are of one size."""

_WITHDRAWN_SHARE = 0.2
"""Of a segment's vectors; from there on it is written anew without them."""

_MEASURED_AGAIN = 0.1
"""Share of an index that changes before its recall is measured again, which takes some seconds for a million."""

_OUTGROWN = 4
"""Times as many vectors as when the quantisers were trained: lists are then twice as long as they need be."""


def kept_in_shape(folder: Path, state: IndexState) -> IndexState:
    """The state with too many or too empty segments put together, and quantisers where they are needed.

    Args:
        folder: of the index; new files are written into it, none is removed.
        state: as a change leaves it.
    """
    sensors = {name: _put_together(folder, state.change, name, part) for name, part in state.sensors.items()}
    for name, part in sensors.items():
        wanted = part.live > sensor_index.EXACT_BELOW
        outgrown = any(part.live > _OUTGROWN * known.trained_on for known in part.coarse.values())
        if wanted and (outgrown or not part.coarse):
            sensors[name] = _trained(folder, state, sensors, name)
        elif wanted and part.changed >= _MEASURED_AGAIN * part.live:
            opened = _opened(folder, sensors)
            again = {
                kind: quality.measured(name, opened, kind, known, state.change) for kind, known in part.coarse.items()
            }
            if min(known.recall for known in again.values()) < quality.TARGET:
                sensors[name] = _trained(folder, state, sensors, name)
            else:
                sensors[name] = replace(part, coarse=again, changed=0)
    return replace(state, sensors=sensors)


def compacted(folder: Path, state: IndexState) -> IndexState:
    """The state with as few segments as can be, without withdrawn rows, and with newly trained quantisers."""
    sensors = {}
    for name, part in state.sensors.items():
        side = open_sensor(folder, part)
        groups: list[list[int]] = [[]]
        rows = 0
        for i, segment in enumerate(part.segments):
            if rows + segment.live > incoming.SEGMENT_ROWS and groups[-1]:
                groups.append([])
                rows = 0
            groups[-1].append(i)
            rows += segment.live
        merged = [
            _merged(folder, f"{state.change:08d}-{name}-all{number}", side, group)
            for number, group in enumerate(groups)
            if sum(part.segments[i].live for i in group)
        ]
        sensors[name] = replace(part, segments=tuple(merged))
    for name, part in sensors.items():
        if part.live > sensor_index.EXACT_BELOW:
            sensors[name] = _trained(folder, state, sensors, name)
    return replace(state, sensors=sensors)


def _put_together(folder: Path, change: int, name: str, part: SensorState) -> SensorState:
    segments = [segment for segment in part.segments if segment.live]
    number = 0
    while chosen := _to_put_together(segments):
        side = open_sensor(folder, replace(part, segments=tuple(segments)))
        number += 1
        merged = _merged(folder, f"{change:08d}-{name}-{number}", side, chosen)
        segments = [segment for i, segment in enumerate(segments) if i not in chosen] + [merged]
    return replace(part, segments=tuple(segments))


def _to_put_together(segments: Sequence[SegmentState]) -> list[int]:
    """Positions of segments that should become one; none where all is well."""
    by_size: dict[int, list[int]] = {}
    for i, segment in enumerate(segments):
        if segment.withdrawn_rows > _WITHDRAWN_SHARE * segment.rows:
            return [i]
        size, rows = 0, segment.live
        while rows > _SMALLEST:
            size, rows = size + 1, rows // _TOGETHER
        by_size.setdefault(size, []).append(i)
    for alike in by_size.values():
        smallest = sorted(alike, key=lambda i: segments[i].live)
        together = np.cumsum([segments[i].live for i in smallest])
        fitting = smallest[: int(np.sum(together <= incoming.SEGMENT_ROWS))]
        if len(fitting) >= _TOGETHER:
            return sorted(fitting)
    return []


def _merged(folder: Path, name: str, side: SensorIndex, chosen: Sequence[int]) -> SegmentState:
    for i in chosen:
        # What is broken must not come out as if it were whole.
        check_content(folder / "segments" / side.segments[i].state.name, side.segments[i].state)
    part = joined([side.segments[i].part() for i in chosen])
    return write_segment(folder / "segments" / name, part, side.trained)


def _opened(folder: Path, sensors: Mapping[str, SensorState]) -> dict[str, SensorIndex]:
    return {name: open_sensor(folder, part) for name, part in sensors.items()}


def _trained(folder: Path, state: IndexState, sensors: Mapping[str, SensorState], sensor: str) -> SensorState:
    """A sensor's part with newly trained quantisers, and all of its vectors in their lists."""
    opened = _opened(folder, sensors)
    seed = state.change
    trained: dict[Purpose, Trained] = {}
    untuned = {}
    (folder / "coarse").mkdir(exist_ok=True)
    for kind in track(state.kinds, f"Training lists of {sensor}", unit="kind"):
        trained[kind] = quality.train_quantiser(opened[sensor], kind, seed)
        name = f"{state.change:08d}-{sensor}-{kind}.faiss"
        file = coarse.write_trained(trained[kind], folder / "coarse" / name)
        untuned[kind] = Coarse(name, file, 1, 0.0, 0, trained[kind].lists, opened[sensor].live)
    segments = tuple(
        relist_segment(
            folder / "segments" / f"{state.change:08d}-{sensor}-listed{number}",
            segment,
            folder / "segments" / segment.state.name,
            trained,
        )
        for number, segment in enumerate(track(opened[sensor].segments, f"Filling lists of {sensor}", unit="segment"))
    )
    # Recall is measured on the files as they will be read.
    part = replace(sensors[sensor], segments=segments, coarse=untuned, changed=0)
    opened[sensor] = open_sensor(folder, part)
    settled = {
        kind: quality.tuned(sensor, opened, kind, untuned[kind], seed)
        for kind in track(state.kinds, f"Measuring recall of {sensor}", unit="kind")
    }
    return replace(part, coarse=settled)
