"""Searches a Milvus database for patches, restricted before anything is scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from jepa_core.errors import JepaError
from jepa_core.index.filters import Filter
from jepa_core.milvus.database import Holding, connected, stored_holding
from jepa_core.milvus.expression import expression_of
from jepa_core.sensors import Sensor
from jepa_core.vectors import Purpose, check_unit, serving

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_MOST = 16_384
"""Hits that Milvus gives at once."""


@dataclass(frozen=True)
class Match:
    """A patch that was found."""

    id: int
    """Its id in every index."""

    patch_id: str
    """Its name."""

    scene_id: str
    """Of its scene."""

    score: float
    """Cosine with the query."""


def search(
    uri: str,
    variant: str,
    model_fingerprint: str,
    sensor: Sensor,
    purpose: Purpose,
    queries: np.ndarray,
    k: int,
    where: Filter,
) -> list[list[Match]]:
    """The k nearest patches of each query among those that meet the conditions.

    Exact in the embedded edition; a server's own index may miss some of the nearest.

    Args:
        uri: of the database, see `database.connected`.
        variant: name of the method.
        model_fingerprint: of the model that made the queries.
        sensor: of the patches to be found.
        purpose: kind of search that the queries were made for.
        queries: unit vectors, (queries, dimension).
        k: hits wanted; fewer where fewer patches meet the conditions.
        where: conditions, met before anything is scored.

    Returns:
        By query, nearest first.

    Raises:
        FingerprintMismatchError: the database holds descriptors of another model.
        NotMaterializedError: it holds none of the method and sensor.
        DescriptorError: queries are not finite unit vectors.
        FilterError: a condition that cannot be written down.
        JepaError: k that cannot be, or vectors of another dimension.
        MilvusError: the database cannot be reached.
    """
    if not 1 <= k <= _MOST:
        raise JepaError(f"k is {k}; Milvus gives 1 to {_MOST} hits")
    expression = expression_of(where)
    with connected(uri) as client:
        holding = stored_holding(client, variant, model_fingerprint, sensor)
        kind = serving(purpose, holding.dimensions)
        if queries.ndim != 2 or queries.shape[1] != holding.dimensions[kind]:
            raise JepaError(f"queries have the shape {queries.shape}, not (n, {holding.dimensions[kind]})")
        check_unit(queries, "queries")
        vectors = np.ascontiguousarray(queries, np.float32)
        if where.area is None:
            return [_matches(hits) for hits in _hits(client, holding, kind, vectors, expression, k)]
        return [_within(client, holding, kind, vector, expression, k, where.area) for vector in vectors]


def _hits(
    client: "MilvusClient", holding: Holding, kind: Purpose, vectors: np.ndarray, expression: str, limit: int
) -> list[list[Mapping[str, Any]]]:
    found = client.search(
        holding.name,
        data=list(vectors),
        anns_field=kind,
        filter=expression,
        limit=limit,
        output_fields=["patch_id", "scene_id", "lon", "lat"],
        search_params={"metric_type": "COSINE"},
    )
    return [list(hits) for hits in found]


def _within(
    client: "MilvusClient",
    holding: Holding,
    kind: Purpose,
    vector: np.ndarray,
    expression: str,
    k: int,
    area: shapely.Geometry,
) -> list[Match]:
    """The k nearest in an area: of those within its bounds, until there are k inside or no more within."""
    shapely.prepare(area)
    outside: list[int] = []
    limit = k
    while True:
        rest = f"{expression} and id not in {outside}" if outside else expression
        (hits,) = _hits(client, holding, kind, vector[None], rest, limit)
        places = np.array([(hit["entity"]["lon"], hit["entity"]["lat"]) for hit in hits]).reshape(-1, 2)
        inside = shapely.intersects_xy(area, places[:, 0], places[:, 1])
        if inside.sum() >= k or len(hits) < limit:
            return _matches([hit for hit, kept in zip(hits, inside, strict=True) if kept][:k])
        outside += [int(hit["id"]) for hit, kept in zip(hits, inside, strict=True) if not kept]
        limit = min(2 * limit, _MOST)


def _matches(hits: list[Mapping[str, Any]]) -> list[Match]:
    return [
        Match(int(hit["id"]), hit["entity"]["patch_id"], hit["entity"]["scene_id"], float(hit["distance"]))
        for hit in hits
    ]
