"""What is there of one variant."""

from dataclasses import dataclass
from pathlib import Path

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.index.sync import CurrentIndex, old_indexes, states
from jepa_core.operating.inventory import ModelFolder, last_trained, serving_index
from jepa_core.operating.tried import Tried
from jepa_core.patch_store import read_manifest
from jepa_core.sensors import SENSORS
from jepa_core.store import Store


@dataclass(frozen=True)
class ModelStatus:
    """The model that was trained last."""

    fingerprint: str
    """Of the model."""

    trained: str
    """When, ISO 8601, UTC."""

    size: str
    """Of the network; empty where it was not noted."""

    training_pairs: int
    """That it was trained from."""


@dataclass(frozen=True)
class IndexStatus:
    """The index that searches use."""

    model: str
    """Fingerprint of its model."""

    current: bool
    """Whether that is the model that was trained last."""

    patches: dict[str, int]
    """By sensor."""

    shards: int
    """1 where it is not cut."""

    segments: int
    """In all shards and sensors."""

    searched: dict[str, str]
    """`exact` or `lists`, by sensor."""

    recall: float | None
    """Least recall@10 of all its lists; None where all is searched exactly."""

    older: int
    """Other indexes of the variant."""


@dataclass(frozen=True)
class ReportStatus:
    """The latest benchmark report."""

    date: str
    """Day, ISO 8601."""

    current: bool
    """Whether it is of the model that was trained last."""


@dataclass(frozen=True)
class VariantStatus:
    """What is there of one variant."""

    model: ModelStatus | None
    """None where none was trained."""

    described: int
    """Scenes that have descriptors by that model."""

    to_describe: int
    """Scenes that should."""

    index: IndexStatus | None
    """None where there is none."""

    report: ReportStatus | None
    """None where there is none."""


def variant_status(store: Store, variant: str, tried: Tried) -> VariantStatus:
    """Looks at one variant.

    Args:
        store: the data root.
        variant: its name.
        tried: notes what cannot be read.
    """
    model = tried(lambda: last_trained(store, variant), None)
    index = tried(lambda: serving_index(store, variant), None)
    described, wanted = (0, 0) if model is None else tried(lambda: _described(store, variant, model), (0, 0))
    mark = model.fingerprint if model else ""
    return VariantStatus(
        model=None if model is None else _model(model),
        described=described,
        to_describe=wanted,
        index=None if index is None else tried(lambda: _index(store, variant, index, mark), None),
        report=tried(lambda: _report(store.benchmark(variant), mark), None),
    )


def _model(model: ModelFolder) -> ModelStatus:
    return ModelStatus(
        fingerprint=model.fingerprint,
        trained=f"{model.written:%Y-%m-%dT%H:%M:%SZ}",
        size=str(model.about.get("size", "")),
        training_pairs=int(model.about.get("pairs", 0)),
    )


def _described(store: Store, variant: str, model: ModelFolder) -> tuple[int, int]:
    described = wanted = 0
    for name in model.sensors:
        folder = store.descriptors(variant, model.fingerprint) / name
        there = {path.stem for path in folder.glob("[!.]*.parquet")}
        scenes = set(read_manifest(store, SENSORS[name])["folder"])
        described, wanted = described + len(scenes & there), wanted + len(scenes)
    return described, wanted


def _index(store: Store, variant: str, index: CurrentIndex, trained: str) -> IndexStatus:
    shards = [state for _, state in states(index)]
    parts = [(name, part) for state in shards for name, part in state.sensors.items()]
    names = sorted({name for name, _ in parts})
    lists = {name for name, part in parts if part.coarse}
    return IndexStatus(
        model=index.model,
        current=index.model == trained,
        patches={name: sum(part.live for of, part in parts if of == name) for name in names},
        shards=len(shards),
        segments=sum(len(part.segments) for _, part in parts),
        searched={name: "lists" if name in lists else "exact" for name in names},
        recall=min((coarse.recall for _, part in parts for coarse in part.coarse.values()), default=None),
        older=len(old_indexes(store, variant)),
    )


def _report(folder: Path, trained: str) -> ReportStatus | None:
    path = folder / "report.json"
    if not path.exists():
        return None
    fields = atomic.read_json(path)
    try:
        return ReportStatus(str(fields["surroundings"]["date"]), trained in fields["model"]["models"])
    except (KeyError, TypeError) as error:
        raise JepaError(f"{path} is no report of a benchmark (it lacks {error}); make the benchmark again") from error
