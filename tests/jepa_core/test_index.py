import faiss
import numpy as np
import pytest

from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.index import (
    BrokenIndexError,
    FingerprintMismatchError,
    build_index,
    open_index,
    vector_id,
)
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.vectors import DescriptorError, Descriptors

MODEL = "a" * 64


def descriptors(prefix, count, seed, dimension=16):
    rng = np.random.default_rng(seed)
    vectors = {}
    for purpose in ("same", "cross"):
        x = rng.normal(size=(count, dimension)).astype("float32")
        vectors[purpose] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return Descriptors(np.array([f"{prefix}{i:03d}" for i in range(count)], dtype=object), vectors)


@pytest.fixture
def sides():
    return {"sentinel1": descriptors("r", 40, 0), "sentinel2": descriptors("o", 60, 1)}


@pytest.fixture
def folder(tmp_path, sides):
    assert build_index(tmp_path / "index", "crjepa", MODEL, sides) == 100
    return tmp_path / "index"


def test_hits_are_those_of_plain_cosines(folder, sides):
    index = open_index(folder)
    for purpose in ("same", "cross"):
        queries = sides["sentinel1"].vectors[purpose][:7]
        cosines = queries @ sides["sentinel2"].vectors[purpose].T
        order = np.argsort(-cosines, axis=1)[:, :10]
        hits = index.search(queries, MODEL, purpose, SENTINEL2, 10)
        assert hits.patch_ids == sides["sentinel2"].patch_ids[order].tolist()
        np.testing.assert_allclose(hits.scores, np.take_along_axis(cosines, order, 1), atol=1e-5)


def test_ids_depend_on_the_patch_alone():
    # Pinned: an index that was written with other ids could no longer be added to.
    assert vector_id("S2A_MSIL2A_20170613T101031_39_24") == 1173125903012703741
    ids = {vector_id(f"patch-{i}") for i in range(20000)}
    assert len(ids) == 20000
    assert all(0 <= i < 2**63 for i in ids)


def test_a_stored_vector_is_found_again_and_an_unknown_patch_named(folder, sides):
    index = open_index(folder)
    got = index.vector("r007", "cross", SENTINEL1)
    np.testing.assert_allclose(got[0], sides["sentinel1"].vectors["cross"][7])
    with pytest.raises(UnknownNameError, match="no sentinel1 patch 'o007'"):
        index.vector("o007", "cross", SENTINEL1)


def test_more_hits_than_patches_gives_all_of_them(folder, sides):
    hits = open_index(folder).search(sides["sentinel1"].vectors["same"][:1], MODEL, "same", SENTINEL1, 500)
    assert sorted(hits.patch_ids[0]) == sides["sentinel1"].patch_ids.tolist()


def test_queries_of_another_model_are_refused_by_name(folder, sides):
    with pytest.raises(FingerprintMismatchError, match=r"bbbbbbbbbbbb cannot be searched .* aaaaaaaaaaaa"):
        open_index(folder).search(sides["sentinel1"].vectors["same"], "b" * 64, "same", SENTINEL1, 5)


@pytest.mark.parametrize(
    ("query", "k", "error", "says"),
    [
        (np.ones((1, 8), "float32") / 8**0.5, 5, JepaError, r"not \(n, 16\)"),
        (np.full((1, 16), np.nan, "float32"), 5, DescriptorError, "not finite unit"),
        (np.ones((1, 16), "float32"), 5, DescriptorError, "not finite unit"),
        (np.ones((1, 16), "float32") / 4, 0, JepaError, "k is 0"),
    ],
)
def test_bad_queries_are_plain_errors(folder, query, k, error, says):
    with pytest.raises(error, match=says):
        open_index(folder).search(query, MODEL, "same", SENTINEL1, k)


def test_a_missing_a_truncated_and_a_short_index_are_refused(folder, tmp_path, sides):
    with pytest.raises(BrokenIndexError, match="no index at"):
        open_index(tmp_path / "nowhere")
    path = folder / "same-sentinel1.faiss"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenIndexError, match=r"same-sentinel1\.faiss is not readable"):
        open_index(folder)
    short = faiss.IndexIDMap2(faiss.IndexFlatIP(16))
    short.add_with_ids(sides["sentinel1"].vectors["same"][:5], np.arange(5))
    faiss.write_index(short, str(path))
    with pytest.raises(BrokenIndexError, match="holds 5 vectors of dimension 16, not 40 of 16"):
        open_index(folder)


def test_two_patches_of_one_id_are_refused_and_nothing_is_written(tmp_path, sides):
    twins = {"sentinel1": sides["sentinel1"], "sentinel2": sides["sentinel1"]}
    with pytest.raises(BrokenIndexError, match="r000 and r000 have the same id"):
        build_index(tmp_path / "index", "crjepa", MODEL, twins)
    assert list(tmp_path.iterdir()) == []


def test_a_rebuilt_index_takes_the_old_one_s_place(folder, sides):
    fewer = {name: Descriptors(d.patch_ids[:5], {p: v[:5] for p, v in d.vectors.items()}) for name, d in sides.items()}
    build_index(folder, "crjepa", MODEL, fewer)
    assert open_index(folder).flat["same"]["sentinel2"].ntotal == 5
