"""A Milvus database, and the collections in it that hold descriptors."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jepa_core.errors import JepaError, NotMaterializedError
from jepa_core.fingerprint import short
from jepa_core.index import FingerprintMismatchError
from jepa_core.sensors import Sensor
from jepa_core.vectors import Purpose

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_ABOUT = "jepa"
"""Property of a collection that says whose descriptors it holds. (Descriptions are lost by the embedded edition.)"""

_TEXT = 4096
"""Longest id or label, bytes; costs nothing where they are shorter."""

_LABELS = 256
"""Most labels of a patch."""


class MilvusError(JepaError):
    """The database cannot be reached, or holds or does what it should not."""


@dataclass(frozen=True)
class Holding:
    """What a collection holds: the descriptors of one sensor by one model."""

    variant: str
    """Name of the method."""

    model: str
    """Fingerprint of the model."""

    sensor: str
    """Name of the sensor."""

    dimensions: Mapping[Purpose, int]
    """Of the vectors, by kind; each kind is a field of that name."""

    @property
    def name(self) -> str:
        """Of the collection."""
        return f"jepa_{self.variant}_{short(self.model)}_{self.sensor}"

    @property
    def marks(self) -> str:
        """Name of the collection beside it, a row for each scene that went in."""
        return f"{self.name}_scenes"


@contextmanager
def connected(uri: str) -> "Iterator[MilvusClient]":
    """A client of the database, for as long as the block lasts.

    Args:
        uri: `http://user:password@host:19530`, or a local file whose name ends on `.db` for the embedded edition.

    Raises:
        MilvusError: there is no client installed, or the database cannot be reached, or refuses what the block asks.
    """
    try:
        from pymilvus import MilvusClient, MilvusException
    except ImportError as error:
        raise MilvusError(f"no client of Milvus here ({error}). Run: pip install 'jepa-search[milvus]'") from error
    # They log each refusal with a traceback; what is raised says the same.
    for library in ("pymilvus", "milvus_lite"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        client = MilvusClient(uri)
        try:
            yield client
        finally:
            client.close()
    except MilvusException as error:
        # Without the password, which messages of the client repeat.
        place = re.sub(r"//[^/@]*@", "//", uri)
        said = (error.message or str(error)).replace(uri, place)
        if said == "Open local milvus failed":
            said += "; another process may have it open, or something else lies there"
        raise MilvusError(f"Milvus at {place}: {said}") from error


def create(client: "MilvusClient", holding: Holding, uri: str) -> None:
    """Makes the collection of a holding's vectors, empty; `uri` is the database's."""
    from pymilvus import DataType

    text = {"datatype": DataType.VARCHAR, "max_length": _TEXT}
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    for name in ("patch_id", "scene_id", "cell_id"):
        schema.add_field(name, **text)
    schema.add_field("time", DataType.INT64)
    for name in ("lon", "lat", "valid_fraction"):
        schema.add_field(name, DataType.DOUBLE)
    schema.add_field("cloud_fraction", DataType.DOUBLE, nullable=True)
    schema.add_field("labels", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=_LABELS, max_length=_TEXT)
    index = client.prepare_index_params()
    # A server chooses what suits its size: a graph or a quantizer, which miss some of the nearest. The embedded edition
    # holds what can be compared one by one; its own choice finds 6 of 10 among the first 100 of 8,000 random vectors.
    index_type = "FLAT" if uri.endswith(".db") else "AUTOINDEX"
    for kind, dimension in holding.dimensions.items():
        # The embedded edition has no half precision.
        schema.add_field(kind, DataType.FLOAT_VECTOR, dim=dimension)
        index.add_index(kind, index_type=index_type, metric_type="COSINE")
    about = {
        "variant": holding.variant,
        "model": holding.model,
        "sensor": holding.sensor,
        "dimensions": dict(holding.dimensions),
    }
    client.create_collection(
        holding.name,
        schema=schema,
        index_params=index,
        consistency_level="Strong",
        properties={_ABOUT: json.dumps(about)},
    )


def create_marks(client: "MilvusClient", holding: Holding) -> None:
    """Makes the collection of marks of a holding, empty."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("scene_id", DataType.VARCHAR, max_length=_TEXT, is_primary=True)
    schema.add_field("mark", DataType.VARCHAR, max_length=_TEXT)
    # A collection without vectors is refused.
    schema.add_field("unused", DataType.FLOAT_VECTOR, dim=2)
    index = client.prepare_index_params()
    index.add_index("unused", index_type="AUTOINDEX", metric_type="COSINE")
    client.create_collection(holding.marks, schema=schema, index_params=index, consistency_level="Strong")


def stored_holding(client: "MilvusClient", variant: str, model_fingerprint: str, sensor: Sensor) -> Holding:
    """What the collection of a sensor and model holds, by its own word; it is loaded for searches.

    Raises:
        FingerprintMismatchError: the database holds descriptors of other models only; the message names them.
        NotMaterializedError: it holds none of the method and sensor.
    """
    found = [
        holding
        for name in client.list_collections()
        if (holding := _holding(client, name)) and (holding.variant, holding.sensor) == (variant, sensor.name)
    ]
    for holding in found:
        if holding.model == model_fingerprint:
            client.load_collection(holding.name)
            return holding
    if found:
        raise FingerprintMismatchError(
            f"the database holds {sensor.name} descriptors of model {', '.join(short(h.model) for h in found)}, not of "
            f"{short(model_fingerprint)}. Run jepa milvus again to load those of the current model"
        )
    raise NotMaterializedError(f"the database holds no {variant} descriptors of {sensor.name}. Run jepa milvus first")


def check_own(client: "MilvusClient", holding: Holding) -> None:
    """Makes sure that the collection of a holding's name holds what it should.

    Raises:
        FingerprintMismatchError: it is of another model, or of something else.
    """
    stored = _holding(client, holding.name)
    if stored != holding:
        what = f"descriptors of model {short(stored.model)}" if stored else "something else"
        raise FingerprintMismatchError(
            f"the collection {holding.name} holds {what}, not descriptors of model {short(holding.model)} of "
            f"dimensions {dict(holding.dimensions)}; drop it and {holding.marks}, and run again"
        )


def _holding(client: "MilvusClient", name: str) -> Holding | None:
    about = json.loads(client.describe_collection(name).get("properties", {}).get(_ABOUT, "null"))
    if about is None:
        return None
    return Holding(about["variant"], about["model"], about["sensor"], about["dimensions"])
