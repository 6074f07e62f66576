"""Patches and pairs: every scene's files against what the manifest says that they hold."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from jepa_core import atomic, tables
from jepa_core.errors import JepaError
from jepa_core.operating.findings import Cure, Finding, Ward, reason, settled
from jepa_core.patch_files import holds_of
from jepa_core.patch_store import read_manifest, read_patches, read_quarantine, stored_grid, stored_sensor
from jepa_core.progress import track
from jepa_core.sensors import SENSORS, SENTINEL1, SENTINEL2, Sensor
from jepa_core.stages import read_record, size_of


def check_patches(ward: Ward) -> Iterator[Finding]:
    """Both sensors' tables, and every scene."""
    for sensor in SENSORS.values():
        root = ward.store.patches(sensor)
        says = [root / name for name in ("manifest.parquet", "cutting.json", "sources.parquet", "quarantine.parquet")]
        found = settled(partial(_tables, ward, sensor), says)
        yield from found
        if any(finding.path in says[:2] for finding in found):
            ward.unread.add(sensor.name)
            continue
        ward.broken[sensor.name] = set()
        rows = tables.records(read_manifest(ward.store, sensor))
        for row in track(rows, f"Checking scenes of {sensor.name}", unit="scene"):
            for finding in _scene(ward, sensor, row):
                ward.broken[sensor.name].add(row["folder"])
                yield finding


def check_pairs(ward: Ward) -> Iterator[Finding]:
    """The table of pairs, and that it names patches that are there."""
    if ward.store.pairs.exists():
        says = [ward.store.pairs, *(ward.store.patches(sensor) / "manifest.parquet" for sensor in SENSORS.values())]
        yield from settled(partial(_pairs, ward), says)


def _tables(ward: Ward, sensor: Sensor) -> list[Finding]:
    store, root, name = ward.store, ward.store.patches(sensor), f"{sensor.name}_patches"
    found = []

    def ask(path: Path, read: Any, means: str, drop: Any) -> None:
        try:
            read()
        except (JepaError, OSError, KeyError, TypeError) as error:
            listed = ward.places(sensor.name) is not None
            cure = Cure((name,), drop, name) if listed else None
            said = f"deleting it, and: dagster asset materialize --select {name}"
            said += "" if listed else " (once the archive can be listed)"
            found.append(Finding(path, reason(error), means, said, cure=cure))

    manifest, sources = root / "manifest.parquet", root / "sources.parquet"
    cutting, quarantine = root / "cutting.json", root / "quarantine.parquet"
    again = "all scenes are cut again, and come out as they were"
    ask(manifest, lambda: read_manifest(store, sensor), again, lambda: _deleted(manifest))
    ask(
        sources,
        lambda: tables.read_table(sources, tables.SOURCES) if sources.exists() else None,
        f"the next extraction stops at it; without it {again}",
        lambda: _deleted(sources),
    )
    ask(
        cutting,
        lambda: (stored_sensor(store, sensor), stored_grid(store, sensor)),
        "nothing says with which bands patches were cut",
        lambda: _deleted(cutting),
    )
    ask(
        quarantine,
        lambda: read_quarantine(store, sensor),
        "nothing says why places were set aside; they are read again",
        lambda: _forgotten(quarantine, sources),
    )
    return found


def _scene(ward: Ward, sensor: Sensor, row: dict[str, Any]) -> list[Finding]:
    root, name = ward.store.patches(sensor), f"{sensor.name}_patches"
    folder = root / row["folder"]
    what = _wrong_with(folder, row, stored_sensor(ward.store, sensor))
    if what is None:
        return []
    # Reading takes a while: by now the scene may be another, or gone.
    now = tables.records(read_manifest(ward.store, sensor))
    again = next((r for r in now if r["scene_id"] == row["scene_id"]), None)
    if again is None:
        return []
    if (again["folder"], again["holds"], again["bytes"]) != (row["folder"], row["holds"], row["bytes"]):
        return _scene(ward, sensor, again)
    # It may have been put in its place a moment ago, under the same name.
    what = _wrong_with(folder, row, stored_sensor(ward.store, sensor))
    if what is None:
        return []
    scene_id = row["scene_id"]
    means = f"{row['patches']:,} patches of {scene_id} cannot be trusted"
    places = ward.places(sensor.name)
    if places is None or row["place"] not in places:
        lies = "cannot be listed now" if places is None else f"does not hold {row['place']} any more"
        return [Finding(folder, what, means, f"a back-up: the archive {lies}, so it cannot be cut again")]
    said = f"deleting the folder, and: dagster asset materialize --select {name}"
    return [Finding(folder, what, means, said, cure=Cure((name,), lambda: _deleted(folder), name))]


def _wrong_with(folder: Path, row: dict[str, Any], sensor: Sensor) -> str | None:
    if not folder.is_dir():
        return "is missing"
    try:
        size = size_of(folder)
        if size != row["bytes"]:
            return f"has {size:,} bytes, not {row['bytes']:,}"
        if holds_of(folder, sensor) != row["holds"]:
            return "does not hold what was written"
    except (JepaError, OSError) as error:
        return reason(error)
    except Exception as error:  # whatever the reading of damaged bytes trips over
        return f"cannot be read: {reason(error)}"
    return None


def _pairs(ward: Ward) -> list[Finding]:
    store = ward.store
    cure = Cure(("patch_pairs",), lambda: _deleted(store.pairs), "patch_pairs")
    said = "deleting it, and: dagster asset materialize --select patch_pairs"
    try:
        pairs = tables.read_table(store.pairs, tables.PAIRS)
    except (JepaError, OSError) as error:
        return [Finding(store.pairs, reason(error), "nothing can be trained or benchmarked", said, cure=cure)]
    if ward.unread or any(ward.broken.values()) or not _of_these_patches(ward):
        return []
    for sensor, column in ((SENTINEL1, "patch_a"), (SENTINEL2, "patch_b")):
        try:
            unknown = ~pairs[column].isin(read_patches(store, sensor, ["patch_id"])["patch_id"])
        except JepaError:
            # That there are none its stage's record says.
            return []
        if unknown.any():
            first = pairs[column][unknown].iloc[0]
            what = f"{int(unknown.sum()):,} pairs name {sensor.name} patches that are not there, first {first}"
            return [Finding(store.pairs, what, "training would stop at them", said, cure=cure)]
    return []


def _of_these_patches(ward: Ward) -> bool:
    """Whether the pairs were made from the patches as they are now, and not from earlier ones, which is no fault."""
    try:
        pairs = read_record(ward.store, "patch_pairs")
        patches = {name: read_record(ward.store, name) for name in pairs.inputs} if pairs is not None else {}
    except JepaError:
        return False
    return pairs is None or all(p is not None and p.data_version == pairs.inputs[n] for n, p in patches.items())


def _deleted(path: Path) -> str:
    atomic.remove(path)
    return f"deleted {path}"


def _forgotten(quarantine: Path, sources: Path) -> str:
    """Without the reasons, places that were set aside are to be read again."""
    if sources.exists():
        known = tables.read_table(sources, tables.SOURCES)
        tables.write_table(known[known["state"] != "quarantined"], tables.SOURCES, sources)
    return _deleted(quarantine)
