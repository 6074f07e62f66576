"""One acquisition in several processings, copies, and places that come and go."""

import json
import shutil
from datetime import UTC, datetime

import pytest

from jepa_core.archive.discover import Archive
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import patches_version, read_manifest, read_patches, read_quarantine
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
from jepa_core.testing.world import World

WORLD = World(0)
TIME = datetime(2021, 8, 15, 9, 50, 31, tzinfo=UTC)
PLACE = {"left": 399_600, "top": 5_400_000, "size_m": 2_400, "copies": False}
STAC_PLACE = {"left": 399_600, "top": 5_400_000, "size_m": 2_400}


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


@pytest.fixture
def run(archive, tmp_path):
    store = Store.at(tmp_path / "data")

    def run():
        return store, extract(store, Archive(archive).sources(SENTINEL2), SENTINEL2, CutConfig())

    return run


def product(archive, baseline, processed, level="L2A", zipped=False):
    """One acquisition; only its processing differs."""
    return write_sentinel2_safe(
        archive,
        WORLD,
        time=TIME,
        level=level,
        baseline=baseline,
        processed=datetime.fromisoformat(processed),
        zipped=zipped,
        **PLACE,
    )


def held(store):
    return [(row.baseline, row.level) for row in read_manifest(store, SENTINEL2).itertuples()]


def test_the_newer_processing_replaces_the_older_whose_patches_are_withdrawn(archive, run):
    old = product(archive, "03.01", "2021-08-15T15:00:00+00:00")
    store, _ = run()
    first = patches_version(store, SENTINEL2)
    new = product(archive, "05.00", "2023-05-01T12:00:00+00:00")
    store, summary = run()
    assert held(store) == [("05.00", "L2A")]
    assert (summary.scenes_new, summary.scenes_withdrawn, summary.scenes_replaced) == (1, 1, 1)
    assert set(read_patches(store, SENTINEL2)["scene_id"]) == {new.stem}
    assert patches_version(store, SENTINEL2) != first
    assert {p.name for p in store.patches(SENTINEL2).iterdir() if p.is_dir()} == set(
        read_manifest(store, SENTINEL2)["folder"]
    )
    assert run()[1].scenes_new == 0
    # Taken away again, the older one is all that there is.
    shutil.rmtree(new)
    store, summary = run()
    assert set(read_patches(store, SENTINEL2)["scene_id"]) == {old.stem}
    assert patches_version(store, SENTINEL2) == first


def test_the_higher_level_replaces_the_lower_and_a_later_run_the_earlier(archive, run):
    product(archive, "05.00", "2023-05-01T12:00:00+00:00", level="L1C")
    product(archive, "04.00", "2022-05-01T12:00:00+00:00")
    product(archive, "04.00", "2022-06-01T12:00:00+00:00")
    store, summary = run()
    assert held(store) == [("04.00", "L2A")]
    assert "20220601T120000" in read_manifest(store, SENTINEL2)["scene_id"][0]
    assert (summary.scenes_new, summary.scenes_replaced) == (1, 2)


def test_a_broken_newer_processing_takes_nothing_away(archive, run):
    product(archive, "03.01", "2021-08-15T15:00:00+00:00")
    run()
    new = product(archive, "05.00", "2023-05-01T12:00:00+00:00")
    band = next(new.glob("GRANULE/*/IMG_DATA/R10m/*_B03_10m.jp2"))
    whole = band.read_bytes()
    band.write_bytes(whole[: len(whole) // 3])
    store, summary = run()
    assert held(store) == [("03.01", "L2A")]
    assert (summary.scenes_new, summary.scenes_withdrawn, summary.scenes_quarantined) == (0, 0, 1)
    assert band.name in read_quarantine(store, SENTINEL2)["reason"][0]
    band.write_bytes(whole)
    store, summary = run()
    assert held(store) == [("05.00", "L2A")]
    assert read_quarantine(store, SENTINEL2).empty


def test_a_copy_of_a_product_changes_nothing(archive, run):
    folder = product(archive, "05.00", "2023-05-01T12:00:00+00:00")
    store, _ = run()
    version = patches_version(store, SENTINEL2)
    (archive / "again").mkdir()
    product(archive / "again", "05.00", "2023-05-01T12:00:00+00:00", zipped=True)
    store, summary = run()
    assert (summary.scenes, summary.scenes_new, summary.scenes_replaced, summary.scenes_quarantined) == (1, 0, 1, 0)
    assert patches_version(store, SENTINEL2) == version
    # The copy steps in where the first is taken away.
    shutil.rmtree(folder)
    store, summary = run()
    assert (summary.scenes, summary.scenes_withdrawn) == (1, 0)
    assert patches_version(store, SENTINEL2) == version


def test_a_cloudy_scene_is_no_fault_and_lets_no_older_processing_step_in(archive, tmp_path):
    cloudy = {**PLACE, "clouds": 1.0}
    for level, baseline in (("L1C", "05.00"), ("L2A", "05.00")):
        write_sentinel2_safe(archive, WORLD, time=TIME, level=level, baseline=baseline, **cloudy)
    clear = TIME.replace(year=2020)
    write_sentinel2_safe(archive, WORLD, time=clear, **PLACE)
    store = Store.at(tmp_path / "data")
    for new in (1, 0):
        config = CutConfig(max_cloud_fraction=0.2)
        summary = extract(store, Archive(archive).sources(SENTINEL2), SENTINEL2, config)
        assert (summary.scenes, summary.scenes_new, summary.scenes_quarantined) == (1, new, 0)
        assert read_manifest(store, SENTINEL2)["time"].dt.year.tolist() == [2020]
    # With the threshold lifted, the clouds are wanted.
    assert extract(store, Archive(archive).sources(SENTINEL2), SENTINEL2, CutConfig()).scenes == 2
    assert ("05.00", "L2A") in held(store)


def test_of_two_scenes_with_one_id_the_second_is_taken_when_the_first_is_gone(archive, tmp_path):
    paths = []
    for folder, days in (("a", 0), ("b", 1)):
        time = TIME.replace(day=15 + days)
        path = write_sentinel2_stac(archive / folder, WORLD, tile="33UVP", epsg=32633, time=time, **STAC_PLACE)
        item = json.loads(path.read_text()) | {"id": "twin"}
        path.write_text(json.dumps(item))
        paths.append(path)
    store = Store.at(tmp_path / "data")

    def run():
        return extract(store, Archive(archive).sources(SENTINEL2), SENTINEL2, CutConfig())

    for _ in range(2):
        summary = run()
        assert (summary.scenes, summary.scenes_quarantined) == (1, 1)
        assert "has the id twin" in read_quarantine(store, SENTINEL2)["reason"][0]
    paths[0].unlink()
    summary = run()
    assert (summary.scenes, summary.scenes_quarantined) == (1, 0)
    assert read_manifest(store, SENTINEL2)["time"].dt.day.tolist() == [16]
