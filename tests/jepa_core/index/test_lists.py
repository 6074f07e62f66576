"""Search through lists: what it finds of what exact search finds."""

import numpy as np
import pytest

from jepa_core.index import Change, Filter, SceneVectors, open_index, quality, rebuild, sensor_index, writing
from jepa_core.index.coarse import number_of_lists
from jepa_core.sensors import SENTINEL2
from tests.jepa_core.index.scenes import MODEL, plain_search, table_of_patches, unit

DIMENSION = 32


@pytest.fixture(autouse=True)
def lists_from_a_thousand_on(monkeypatch):
    monkeypatch.setattr(sensor_index, "EXACT_BELOW", 1000)


def clustered(name, count, seed, centres, first=0):
    """A scene whose patches lie about centres; the label of each is its centre's number."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, len(centres), count)
    vectors = unit(centres[which] + 0.6 * unit(rng.normal(size=(count, DIMENSION)))).astype("float16")
    patches = table_of_patches(name, range(first, first + count))
    patches["labels"] = [[f"class {number}"] for number in which]
    return SceneVectors(name, f"{seed}", patches, {"same": vectors.astype("float32")})


def centres_of(count, seed):
    return unit(np.random.default_rng(seed).normal(size=(count, DIMENSION)))


CENTRES = centres_of(30, 0)
SCENES = [clustered(f"o{i}", 400, i, CENTRES, 400 * i) for i in range(12)]
QUERIES = clustered("q", 100, 99, CENTRES).vectors["same"]


def add(folder, scenes, withdrawn=()):
    with writing(folder) as writer:
        writer.apply("crjepa", MODEL, {"sentinel2": Change(scenes, withdrawn)})
    return open_index(folder)


def coarse_of(index):
    return index.state.sensors["sentinel2"].coarse["same"]


def recall(index, scenes, queries=QUERIES, where=Filter(), keep=None):  # noqa: B008
    ids, _ = plain_search(scenes, queries, "same", 10, keep)
    found = index.search(queries, MODEL, "same", SENTINEL2, 10, where).patch_ids
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, ids, strict=True)])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensor_index, "EXACT_BELOW", 1000)
        return add(tmp_path_factory.mktemp("lists") / "index", SCENES)


def test_the_recall_that_is_stored_is_that_of_a_plain_search(built):
    coarse = coarse_of(built)
    assert 1 < coarse.probes < coarse.lists == number_of_lists(4800)
    assert coarse.recall >= 0.99
    # Half of the eighth that trains nothing; the other half chose the number of probes.
    assert 250 < coarse.queries < 350
    assert recall(built, SCENES) >= 0.985


def test_scores_are_those_of_the_full_vectors(built):
    hits = built.search(QUERIES[:20], MODEL, "same", SENTINEL2, 10)
    by_id = {name: v for s in SCENES for name, v in zip(s.patches["patch_id"], s.vectors["same"], strict=True)}
    for query, names, scores in zip(QUERIES, hits.patch_ids, hits.scores, strict=False):
        np.testing.assert_allclose(scores, [by_id[name] @ query for name in names], atol=1e-5)
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("classes", [15, 8, 4])
def test_a_filter_that_has_to_do_with_what_patches_look_like_loses_no_hits(built, classes):
    # Queries of other classes than the filter leaves: the lists next to them hold next to nothing of it.
    where = Filter(labels=tuple(f"class {i}" for i in range(classes)))
    others = clustered("q", 60, 98, CENTRES[classes:]).vectors["same"]
    found = recall(built, SCENES, others, where, lambda row: int(row["labels"][0].split()[1]) < classes)
    side = built.sensors["sentinel2"]
    alive = side.alive(where)
    left = sum(kept.count for kept in alive)
    assert found >= (0.99 if left > 1000 else 1)
    nearest = side.trained["same"].nearest_lists(others, coarse_of(built).probes)
    blind, _ = side.in_lists(others, "same", 10, alive, *nearest)
    exact, _ = side.exact(others, "same", 10, alive)
    assert (blind[:, -1] < exact[:, -1] - 1e-5).mean() > 0.2


@pytest.mark.parametrize("k", [11, 50, 100, 300, 4800])
def test_as_many_hits_are_found_as_are_asked_for(built, k):
    hits = built.search(QUERIES[:10], MODEL, "same", SENTINEL2, k)
    ids, _ = plain_search(SCENES, QUERIES[:10], "same", k)
    assert [len(set(found)) for found in hits.patch_ids] == [k] * 10
    assert np.mean([len(set(a) & set(b)) / k for a, b in zip(hits.patch_ids, ids, strict=True)]) >= 0.98


def test_one_of_each_cell_is_found_among_a_hundred_dates(tmp_path):
    dates = [clustered(f"d{i}", 40, i, CENTRES) for i in range(100)]
    index = add(tmp_path, dates)
    assert index.state.sensors["sentinel2"].coarse
    ids, _ = plain_search(dates, QUERIES[:20], "same", 4000)
    hits = index.search(QUERIES[:20], MODEL, "same", SENTINEL2, 15, one_per_cell=True)
    for found, ranked in zip(hits.patch_ids, ids, strict=True):
        nearest = list({name.split("_")[1]: name for name in reversed(ranked)}.values())
        expected = sorted(nearest, key=ranked.index)[:15]
        assert len(set(found) & set(expected)) >= 14
        assert len(found) == 15


def test_queries_that_recall_is_measured_with_train_nothing(built, monkeypatch):
    side = built.sensors["sentinel2"]
    queries = quality.held_out("sentinel2", built.sensors, "same", 300, seed=5)
    seen = []
    monkeypatch.setattr(quality, "train", lambda sample, lists, seed: seen.append(sample))
    quality.train_quantiser(side, "same", seed=5)
    trained_with = {vector.tobytes() for vector in seen[0]}
    assert len(trained_with) > 2000
    assert not any(vector.tobytes() in trained_with for vector in queries.vectors)


def test_many_adds_find_as_much_as_one_build(built, tmp_path):
    for start in range(0, 12, 2):
        many = add(tmp_path, SCENES[start : start + 2])
    assert many.count(SENTINEL2) == built.count(SENTINEL2)
    assert recall(many, SCENES) >= recall(built, SCENES) - 0.01


def test_withdrawing_holds_recall(tmp_path):
    add(tmp_path, SCENES)
    index = add(tmp_path, (), [f"o{i}" for i in range(0, 12, 3)])
    left = [s for i, s in enumerate(SCENES) if i % 3]
    assert index.count(SENTINEL2) == 3200
    assert recall(index, left) >= 0.985


def test_what_the_lists_were_not_made_for_has_them_made_anew(tmp_path, monkeypatch):
    few = [clustered(f"o{i}", 400, i, CENTRES[:2], 400 * i) for i in range(4)]
    before = coarse_of(add(tmp_path, few))
    # Without looking again, the lists of the first classes serve the others badly.
    monkeypatch.setattr(rebuild, "_MEASURED_AGAIN", 1e9)
    other = [clustered(f"p{i}", 400, 50 + i, centres_of(30, 7), 10_000 + 400 * i) for i in range(6)]
    blind = add(tmp_path, other[:5])
    assert coarse_of(blind) == before
    queries = clustered("q", 100, 97, centres_of(30, 7)).vectors["same"]
    assert recall(blind, [*few, *other[:5]], queries) < quality.TARGET
    monkeypatch.setattr(rebuild, "_MEASURED_AGAIN", 0.1)
    seeing = add(tmp_path, other[5:])
    after = coarse_of(seeing)
    assert after.name != before.name
    assert after.trained_on == 4000
    assert after.recall >= quality.TARGET
    assert recall(seeing, [*few, *other], queries) >= 0.985
    assert [path.name for path in (tmp_path / "coarse").iterdir()] == [after.name]


def test_lists_that_became_too_long_are_made_anew(tmp_path):
    assert coarse_of(add(tmp_path, SCENES[:3])).lists == 16
    assert coarse_of(add(tmp_path, SCENES[3:])).lists == 16
    more = [clustered(f"p{i}", 400, 60 + i, CENTRES, 20_000 + 400 * i) for i in range(2)]
    grown = add(tmp_path, more)
    assert coarse_of(grown).trained_on == grown.count(SENTINEL2) == 5600
    assert coarse_of(grown).lists == number_of_lists(5600) > 16
    assert recall(grown, [*SCENES, *more]) >= 0.985


def test_an_index_that_grows_past_the_limit_gets_lists_and_one_below_it_has_none(tmp_path):
    small = add(tmp_path, SCENES[:2])
    assert small.state.sensors["sentinel2"].coarse == {}
    large = add(tmp_path, SCENES[2:4])
    assert coarse_of(large).trained_on == 1600
    assert all("same.lists" in part.files for part in large.state.sensors["sentinel2"].segments)
