"""The sink against Milvus' embedded edition: what numpy finds is what it finds."""

import builtins
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import shapely
from pymilvus import MilvusClient

from jepa_core.errors import JepaError, NotMaterializedError
from jepa_core.index import FingerprintMismatchError
from jepa_core.index.filters import Filter, FilterError
from jepa_core.index.ids import vector_id
from jepa_core.milvus import load
from jepa_core.milvus.database import MilvusError
from jepa_core.milvus.expression import expression_of
from jepa_core.milvus.load import SyncSummary, sync
from jepa_core.milvus.search import search
from jepa_core.patch_store import read_manifest, read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.tables import PATCHES, SCENES, read_table, write_table
from jepa_core.vectors import DescriptorError

NASTY = 'She said "é\\'
"""A label that would end a text that is put into an expression as it is."""


def rewrite(store, sensor, change):
    """Changes the table of each scene."""
    for i, folder in enumerate(read_manifest(store, sensor)["folder"]):
        path = store.patches(sensor) / folder / "patches.parquet"
        write_table(change(read_table(path, PATCHES), i), PATCHES, path)


def vary(table, i):
    """Places on both sides of 180°, times, clouds and labels that differ."""
    numbers = 3 * i + np.arange(len(table))
    table["lon"] = (179.6 + 0.05 * numbers + 180) % 360 - 180
    table["lat"] = -1 + 0.1 * numbers
    table["time"] = pd.Timestamp("2024-05-01", tz="UTC") + pd.to_timedelta(numbers * 6, unit="h").as_unit("us")
    table["cloud_fraction"] = np.where(numbers % 4 == 0, np.nan, numbers / 30)
    table["valid_fraction"] = 1 - numbers / 30
    table["labels"] = [[NASTY, "Pastures"] if n % 5 == 0 else ["Pastures"] if n % 2 else [] for n in numbers]
    return table


@pytest.fixture(scope="module")
def store(cut_store, described, tmp_path_factory):
    """The synthetic archive with patches that differ in all that a filter looks at."""
    store = Store.at(shutil.copytree(cut_store.root, tmp_path_factory.mktemp("milvus") / "data"))
    rewrite(store, SENTINEL2, vary)
    return store


@pytest.fixture(scope="module")
def database(store, trained, tmp_path_factory):
    """A database with both sensors in it; read only."""
    uri = str(tmp_path_factory.mktemp("milvus") / "patches.db")
    assert sync(uri, store, "crjepa", trained.fingerprint, (SENTINEL1, SENTINEL2)) == SyncSummary(16, 0, 0, 48)
    return uri


@pytest.fixture
def copy(store, tmp_path):
    """A copy of the data root, to be changed."""
    return Store.at(shutil.copytree(store.root, tmp_path / "data"))


@pytest.fixture
def find(database, trained, described):
    """Searches with three descriptors of Sentinel-1."""

    def found(k=24, where=Filter(), uri=database):  # noqa: B008
        queries = described["sentinel1"].vectors["cross"][:3]
        return search(uri, "crjepa", trained.fingerprint, SENTINEL2, "cross", queries, k, where)

    return found


def exact(described, query, passing):
    """Names of passing patches of Sentinel-2 by exact cosine with a query of Sentinel-1, and the cosines."""
    gallery = described["sentinel2"]
    cosines = gallery.vectors["cross"] @ described["sentinel1"].vectors["cross"][query]
    order = [i for i in np.argsort(-cosines, kind="stable") if gallery.patch_ids[i] in passing]
    return gallery.patch_ids[order].tolist(), cosines[order]


def test_it_finds_what_numpy_finds_with_the_same_ids(find, described):
    everything = set(described["sentinel2"].patch_ids)
    for query, matches in enumerate(find()):
        names, cosines = exact(described, query, everything)
        assert [match.patch_id for match in matches] == names
        assert [match.id for match in matches] == [vector_id(name) for name in names]
        np.testing.assert_allclose([match.score for match in matches], cosines, atol=1e-5)


def test_within_a_sensor_the_patch_itself_is_first(database, trained, described):
    gallery = described["sentinel2"]
    found = search(database, "crjepa", trained.fingerprint, SENTINEL2, "same", gallery.vectors["same"][:2], 1, Filter())
    assert [matches[0].patch_id for matches in found] == gallery.patch_ids[:2].tolist()


DAY = datetime(2024, 5, 3, tzinfo=UTC)
TRIANGLES = shapely.MultiPolygon(
    [
        shapely.Polygon([(179.5, -1.2), (180, -1.2), (180, 0.1)]),
        shapely.Polygon([(-180, -0.5), (-179, -0.5), (-179, 1.5)], [[(-179.3, -0.3), (-179.1, -0.3), (-179.1, 0.4)]]),
    ]
)


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        (Filter(bbox=(179.7, -0.9, -179.9, 0.5)), lambda t: ((t.lon >= 179.7) | (t.lon <= -179.9)) & (t.lat <= 0.5)),
        (Filter(bbox=(-180, -90, -179.5, 90)), lambda t: t.lon <= -179.5),
        (Filter(start=DAY), lambda t: t.time >= DAY),
        (Filter(end=DAY), lambda t: t.time < DAY),
        (Filter(max_cloud=0.2), lambda t: ~(t.cloud_fraction > 0.2)),
        (Filter(min_valid=0.5), lambda t: t.valid_fraction >= 0.5),
        (Filter(labels=(NASTY, "none such")), lambda t: t.labels.map(lambda labels: NASTY in labels)),
        (Filter(area=TRIANGLES), lambda t: shapely.intersects_xy(TRIANGLES, t.lon, t.lat)),
        (
            Filter(area=TRIANGLES, end=DAY, max_cloud=0.5),
            lambda t: shapely.intersects_xy(TRIANGLES, t.lon, t.lat) & (t.time < DAY) & ~(t.cloud_fraction > 0.5),
        ),
    ],
    ids=["box across 180°", "box", "start", "end", "cloud", "valid", "labels", "area", "several"],
)
def test_conditions_are_met_before_anything_is_scored(find, store, described, where, passes):
    patches = read_patches(store, SENTINEL2)
    passing = set(patches["patch_id"][passes(patches)])
    assert 0 < len(passing) < 24
    for k in (2, 24):
        for query, matches in enumerate(find(k, where)):
            assert [match.patch_id for match in matches] == exact(described, query, passing)[0][:k]


def test_scenes_are_a_condition_and_a_hit_says_its_own(find, store):
    scenes = read_manifest(store, SENTINEL2)["scene_id"].tolist()[:2]
    for matches in find(24, Filter(scenes=tuple(scenes))):
        assert len(matches) == 6
        assert {match.scene_id for match in matches} == set(scenes)


def test_no_text_gets_out_of_its_quotes(find):
    for text in ('" or id > 0 or scene_id == "', "\\", '\\" or id > 0 or scene_id == \\"', "\n"):
        assert find(5, Filter(scenes=(text,))) == [[], [], []]
    with pytest.raises(FilterError, match="control characters"):
        expression_of(Filter(labels=("\0",)))


def test_a_second_run_changes_nothing(database, store, trained, monkeypatch):
    monkeypatch.setattr(load, "_load", lambda *_: pytest.fail("nothing is to be loaded"))
    assert sync(database, store, "crjepa", trained.fingerprint, (SENTINEL1, SENTINEL2)) == SyncSummary(0, 0, 0, 48)


def remark(store, scene_id, **changed):
    """Changes a scene's row in the manifest of Sentinel-2; without changes takes it out."""
    manifest = read_manifest(store, SENTINEL2)
    if changed:
        manifest.loc[manifest["scene_id"] == scene_id, list(changed)] = list(changed.values())
    else:
        manifest = manifest[manifest["scene_id"] != scene_id]
    write_table(manifest, SCENES, store.patches(SENTINEL2) / "manifest.parquet")


def test_changed_scenes_are_replaced_and_lost_ones_withdrawn(copy, trained, find, tmp_path):
    uri = str(tmp_path / "patches.db")
    assert sync(uri, copy, "crjepa", trained.fingerprint, [SENTINEL2]) == SyncSummary(8, 0, 0, 24)
    first, second = read_manifest(copy, SENTINEL2)["scene_id"].tolist()[:2]
    rewrite(copy, SENTINEL2, lambda table, i: table.assign(valid_fraction=0.001) if i == 0 else table)
    remark(copy, first, holds="other")
    remark(copy, second)
    assert sync(uri, copy, "crjepa", trained.fingerprint, [SENTINEL2]) == SyncSummary(0, 1, 1, 21)
    assert second not in {match.scene_id for match in find(24, uri=uri)[0]}
    kept = find(24, Filter(min_valid=0.01), uri=uri)[0]
    assert len(kept) == 18
    assert first not in {match.scene_id for match in kept}


def test_a_killed_run_is_completed_by_the_next(copy, trained, find, tmp_path, monkeypatch):
    uri = str(tmp_path / "patches.db")
    monkeypatch.setattr(load, "_ROWS", 2)
    sent = []

    def upsert(client, name, rows, **options):
        if rows and "same" in rows[0]:
            sent.append(len(rows))
        if len(sent) == 4:
            raise KeyboardInterrupt
        return original(client, name, rows, **options)

    original = MilvusClient.upsert
    monkeypatch.setattr(MilvusClient, "upsert", upsert)
    with pytest.raises(KeyboardInterrupt):
        sync(uri, copy, "crjepa", trained.fingerprint, [SENTINEL2])
    monkeypatch.setattr(MilvusClient, "upsert", original)
    half_loaded = sorted(read_manifest(copy, SENTINEL2)["scene_id"])[1]
    assert len(find(24, uri=uri)[0]) == 5
    # A scene that went halfway in and is no more leaves nothing.
    remark(copy, half_loaded)
    assert sync(uri, copy, "crjepa", trained.fingerprint, [SENTINEL2]) == SyncSummary(6, 0, 1, 21)
    assert len({match.id for match in find(24, uri=uri)[0]}) == 21


def test_another_model_is_refused_by_what_the_collection_says(database, copy, trained, described, tmp_path):
    queries, other = described["sentinel2"].vectors["same"][:1], "f" * 64
    named = f"of model {trained.fingerprint[:12]}, not of ffffffffffff"
    with pytest.raises(FingerprintMismatchError, match=named):
        search(database, "crjepa", other, SENTINEL2, "same", queries, 1, Filter())
    # The same first digits, and so the same name of the collection.
    similar = trained.fingerprint[:12] + "f" * 52
    with pytest.raises(FingerprintMismatchError):
        search(database, "crjepa", similar, SENTINEL2, "same", queries, 1, Filter())
    with pytest.raises(NotMaterializedError, match="no mae descriptors"):
        search(database, "mae", other, SENTINEL2, "same", queries, 1, Filter())
    # Files of another model, in the place of this one's.
    shutil.copytree(copy.descriptors("crjepa", trained.fingerprint), copy.descriptors("crjepa", other))
    with pytest.raises(DescriptorError, match="not of ffffffffffff"):
        sync(str(tmp_path / "patches.db"), copy, "crjepa", other, [SENTINEL2])


def test_queries_that_make_no_sense_are_refused(database, trained, described):
    good = described["sentinel2"].vectors["same"][:1]

    def ask(queries, k=1):
        search(database, "crjepa", trained.fingerprint, SENTINEL2, "same", queries, k, Filter())

    with pytest.raises(DescriptorError, match="not finite unit vectors"):
        ask(good * np.nan)
    with pytest.raises(JepaError, match=r"queries have the shape \(1, 3\)"):
        ask(good[:, :3])
    with pytest.raises(JepaError, match="k is 0"):
        ask(good, 0)


def test_what_is_missing_is_said_before_anything_is_sent(copy, trained, tmp_path):
    file = next((copy.descriptors("crjepa", trained.fingerprint) / "sentinel2").glob("*.parquet"))
    file.unlink()
    with pytest.raises(NotMaterializedError, match="--select crjepa_descriptors"):
        sync(str(tmp_path / "patches.db"), copy, "crjepa", trained.fingerprint, [SENTINEL1, SENTINEL2])
    assert not (tmp_path / "patches.db").exists()


def test_patches_that_went_astray_are_counted(database, store, trained, monkeypatch):
    scenes = load.described_scenes(store, "crjepa", trained.fingerprint, SENTINEL2)
    one_more = [*scenes[:-1], replace(scenes[-1], patches=4)]
    monkeypatch.setattr(load, "described_scenes", lambda *_: one_more)
    with pytest.raises(MilvusError, match="holds 24 patches, not the 25 that were sent"):
        sync(database, store, "crjepa", trained.fingerprint, [SENTINEL2])


def test_without_the_client_the_extra_is_named(store, trained, monkeypatch):
    original = builtins.__import__

    def without(name, *rest):
        if name.startswith("pymilvus"):
            raise ImportError("No module named 'pymilvus'")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MilvusError, match=r"pip install 'jepa-search\[milvus\]'"):
        sync("x.db", store, "crjepa", trained.fingerprint, [SENTINEL2])


def test_a_database_that_cannot_be_reached_is_named_without_its_password(store, trained):
    with pytest.raises(MilvusError, match=r"^Milvus at nonsense://somewhere:1: ") as caught:
        sync("nonsense://me:secret@somewhere:1", store, "crjepa", trained.fingerprint, [SENTINEL2])
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(store, trained, tmp_path):
    (tmp_path / "notes.db").write_text("x")
    with pytest.raises(MilvusError, match=r"notes\.db: .*something else lies there"):
        sync(str(tmp_path / "notes.db"), store, "crjepa", trained.fingerprint, [SENTINEL2])
