"""What of a remote data root each command and each stage reads."""

from collections.abc import Callable

from jepa_core import atomic, versions
from jepa_core.remote.layout import Scope
from jepa_core.stages import read_record
from jepa_core.store import Store

Wanted = Callable[[Store], Scope]
"""Says what is needed, from records and pointers that were fetched before."""

FIRST = Scope(("root.json", "stages/"))
"""What is fetched before anything else: what the root is of, and the records of all stages."""

CUTTING = ("patches/sentinel1/cutting.json", "patches/sentinel2/cutting.json")


def of_all() -> list[Wanted]:
    """What looking after a whole data root reads and changes."""
    return [lambda _: Scope(("",))]


def of_search(variant: str, pictures: bool) -> list[Wanted]:
    """What a search reads: the current index and its model, and tables of patches where pictures are wanted."""
    pointer = f"indexes/{variant}/current.json"

    def named(store: Store) -> Scope:
        path = store.root / pointer
        fields = atomic.read_json(path) if path.exists() else {}
        folders = [fields[name] for name in ("folder", "model_folder") if name in fields]
        return Scope((*_folders(*folders), *_model(store, variant), *(["patches/"] if pictures else [])))

    return [lambda _: Scope((pointer, *CUTTING)), named]


def of_indexes(variant: str) -> list[Wanted]:
    """What looking after a variant's indexes reads and changes: all of them."""
    return [lambda _: Scope(_folders(f"indexes/{variant}"))]


def of_descriptors(variant: str) -> list[Wanted]:
    """What exports read: the current model, its descriptors, the tables of patches."""

    def named(store: Store) -> Scope:
        record = read_record(store, f"{variant}_model")
        current = [str(store.descriptors(variant, record.data_version).relative_to(store.root))] if record else []
        return Scope(("patches/", *_model(store, variant), *_folders(*current)))

    return [named]


def of_reference(variant: str, dataset: str | None) -> list[Wanted]:
    """What `jepa reference` reads and changes: a report, and the reference made of it."""

    def named(store: Store) -> Scope:
        inner = Store(store.root / "sets" / dataset) if dataset else store
        report, path = inner.benchmark(variant), inner.benchmark_reference(variant)
        return Scope((*_folders(str(report.relative_to(store.root))), str(path.relative_to(store.root))))

    return [named]


def of_set(dataset: str) -> list[Wanted]:
    """What `jepa benchmark` reads and changes: all that was made of a labelled set."""
    return [lambda _: Scope(_folders(f"sets/{dataset}"))]


def of_stage(stage: str) -> list[Wanted]:
    """What a stage of the pipeline reads and changes: all but what is of other methods, and of labelled sets."""
    mine = stage.rpartition("_")[0]
    others = [variant for variant in versions.MODEL if variant != mine]
    kinds = ("models", "descriptors", "indexes")
    return [lambda _: Scope(("",), ("sets/", *(f"{kind}/{variant}/" for variant in others for kind in kinds)))]


def _model(store: Store, variant: str) -> tuple[str, ...]:
    record = read_record(store, f"{variant}_model")
    return _folders(record.summary["folder"]) if record else ()


def _folders(*paths: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{path.rstrip('/')}/" for path in paths))
