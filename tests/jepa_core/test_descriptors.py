import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jepa_core.describing.archive import describe_archive
from jepa_core.descriptors import read_descriptors, read_scene_descriptors, write_scene_descriptors
from jepa_core.patch_store import read_patches, read_pixels
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.tables import InvalidTableError
from jepa_core.vectors import DescriptorError, check_unit


@pytest.fixture
def copy(cut_store, described, tmp_path):
    """A copy of the data root, to be broken."""
    return Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))


def scene_files(store, sensor):
    return sorted((store.root / "descriptors").glob(f"crjepa/*/{sensor.name}/*.parquet"))


def test_every_patch_has_unit_vectors_of_both_kinds(cut_store, trained, described):
    for sensor in (SENTINEL1, SENTINEL2):
        rows = read_patches(cut_store, sensor)
        found = described[sensor.name]
        assert found.patch_ids.tolist() == rows["patch_id"].tolist()
        pixels = read_pixels(cut_store, sensor, rows)
        for purpose, direct in trained.describe(pixels, sensor).items():
            # Stored as float16: eleven bits of each component.
            np.testing.assert_allclose(found.vectors[purpose], direct, atol=1e-3)
            np.testing.assert_allclose(np.linalg.norm(found.vectors[purpose], axis=1), 1, atol=1e-6)


def test_only_what_is_missing_is_computed_and_what_is_gone_is_removed(copy, trained):
    assert describe_archive(copy, trained).scenes_new == 0
    files = scene_files(copy, SENTINEL1)
    untouched = files[1].stat().st_mtime_ns
    files[0].unlink()
    (files[0].parent / "gone-0123.parquet").write_bytes(b"x")
    summary = describe_archive(copy, trained)
    assert (summary.scenes_new, summary.scenes_withdrawn, summary.patches) == (1, 1, 48)
    assert scene_files(copy, SENTINEL1) == files
    assert files[1].stat().st_mtime_ns == untouched


def test_missing_and_broken_files_are_named(copy, trained):
    path = scene_files(copy, SENTINEL2)[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DescriptorError, match=rf"{path.name} is not readable"):
        read_descriptors(copy, "crjepa", trained.fingerprint, SENTINEL2)
    path.unlink()
    with pytest.raises(DescriptorError, match=rf"no descriptors at {path}"):
        read_descriptors(copy, "crjepa", trained.fingerprint, SENTINEL2)


def test_descriptors_of_another_model_are_refused_by_name(copy, trained):
    other = "f" * 64
    shutil.copytree(copy.descriptors("crjepa", trained.fingerprint), copy.descriptors("crjepa", other))
    with pytest.raises(DescriptorError, match=rf"model {trained.fingerprint[:12]}, not of ffffffffffff"):
        read_descriptors(copy, "crjepa", other, SENTINEL1)


def test_a_scene_is_read_in_the_order_of_its_file_with_unit_norm(tmp_path):
    vectors = np.array([[0.6, 0.8], [1.0, 0.0], [0.3, 0.954]])
    path = tmp_path / "scene.parquet"
    write_scene_descriptors(path, "a" * 64, SENTINEL1, ["b", "c", "a"], {"cross": vectors})
    found = read_scene_descriptors(path, "a" * 64)
    assert found.patch_ids.tolist() == ["b", "c", "a"]
    assert list(found.vectors) == ["cross"]
    assert found.vectors["cross"].dtype == np.float32
    np.testing.assert_allclose(found.vectors["cross"], vectors, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found.vectors["cross"], axis=1), 1, atol=1e-6)


def test_vectors_that_are_not_of_unit_norm_are_neither_written_nor_read(tmp_path):
    path = tmp_path / "scene.parquet"
    with pytest.raises(DescriptorError, match="1 of 1 same descriptors of scene are not"):
        write_scene_descriptors(path, "a" * 64, SENTINEL1, ["p"], {"same": np.array([[0.5, 0.5]])})
    assert not path.exists()
    write_scene_descriptors(path, "a" * 64, SENTINEL1, ["p"], {"same": np.array([[1.0, 0.0]])})
    table = pq.read_table(path)
    broken = pa.FixedSizeListArray.from_arrays(pa.array(np.array([2.0, 0.0], "float16")), 2)
    pq.write_table(table.set_column(1, "same", broken), path)
    with pytest.raises(DescriptorError, match=rf"1 of 1 same descriptors in {path} are not"):
        read_scene_descriptors(path, "a" * 64)


def test_one_patch_in_two_scenes_is_refused(copy, trained):
    first, second = scene_files(copy, SENTINEL1)[:2]
    second.write_bytes(first.read_bytes())
    with pytest.raises(InvalidTableError, match="patch_id"):
        read_descriptors(copy, "crjepa", trained.fingerprint, SENTINEL1)


@pytest.mark.parametrize("bad", [[2.0, 0.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0]])
def test_what_is_no_unit_vector_is_counted(bad):
    with pytest.raises(DescriptorError, match="1 of 2 things are not finite unit vectors"):
        check_unit(np.array([[1.0, 0.0], bad]), "things")
