"""A filter as Milvus writes conditions."""

from collections.abc import Iterable

import pandas as pd
import shapely

from jepa_core.index.filters import BoundingBox, Filter, FilterError

_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def expression_of(where: Filter) -> str:
    """The filter's conditions as an expression; of an area, the bounds of its parts only. Empty: all patches pass.

    Milvus' geometry functions are not used: those of the embedded edition know neither holes nor several polygons.

    Raises:
        FilterError: a label or scene has characters that no expression can hold.
    """
    conditions = []
    if where.bbox is not None:
        conditions.append(_within(where.bbox))
    if where.area is not None:
        conditions.append(" or ".join(f"({_within(part.bounds)})" for part in shapely.get_parts(where.area)))
    if where.start is not None:
        conditions.append(f"time >= {_microseconds(where.start)}")
    if where.end is not None:
        conditions.append(f"time < {_microseconds(where.end)}")
    if where.max_cloud is not None:
        conditions.append(f"cloud_fraction is null or cloud_fraction <= {float(where.max_cloud)!r}")
    if where.min_valid is not None:
        conditions.append(f"valid_fraction >= {float(where.min_valid)!r}")
    if where.labels:
        conditions.append(f"array_contains_any(labels, {_texts(where.labels)})")
    if where.scenes:
        conditions.append(f"scene_id in {_texts(where.scenes)}")
    return " and ".join(f"({condition})" for condition in conditions)


def quoted(text: str) -> str:
    """A text as an expression holds it, whatever is in it.

    Raises:
        FilterError: it has control characters, for which there is no way of writing that all editions read.
    """
    if any(ord(character) < 32 and character not in _ESCAPED for character in text):
        raise FilterError(f"{text!r} has control characters, which Milvus cannot search for")
    return '"' + "".join(_ESCAPED.get(character, character) for character in text) + '"'


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, values))}]"


def _within(box: BoundingBox) -> str:
    west, south, east, north = (float(bound) for bound in box)
    across = "or" if west > east else "and"
    return f"(lon >= {west!r} {across} lon <= {east!r}) and lat >= {south!r} and lat <= {north!r}"


def _microseconds(moment: object) -> int:
    return int(pd.Timestamp(moment).value // 1000)  # type: ignore[arg-type]
