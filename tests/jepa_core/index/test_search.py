from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.warp import transform

from jepa_core.errors import JepaError, UnknownNameError
from jepa_core.grid import Cell, centres
from jepa_core.index import Change, Filter, FingerprintMismatchError, open_index, vector_id, writing
from jepa_core.index.filters import FilterError, read_area
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.vectors import DescriptorError
from tests.jepa_core.index.scenes import LABELS, MODEL, plain_search, scene

RADAR = [scene(f"r{i}", 20, 10 + i, first=20 * i) for i in range(2)]
# Three dates of the same sixty cells.
OPTICAL = [scene(f"o{i}", 60, 20 + i, day=10 * i) for i in range(3)]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "index"
    with writing(folder) as writer:
        done = writer.apply("crjepa", MODEL, {"sentinel1": Change(RADAR), "sentinel2": Change(OPTICAL)})
    assert (done.scenes_added, done.patches) == (5, 220)
    return open_index(folder)


@pytest.mark.parametrize("purpose", ["same", "cross"])
@pytest.mark.parametrize("count", [1, 40])
def test_hits_are_those_of_plain_cosines_for_one_query_and_for_many(index, purpose, count):
    queries = np.concatenate([s.vectors[purpose] for s in RADAR])[:count]
    ids, cosines = plain_search(OPTICAL, queries, purpose, 10)
    hits = index.search(queries, MODEL, purpose, SENTINEL2, 10)
    assert hits.patch_ids == ids
    np.testing.assert_allclose(hits.scores, cosines, atol=1e-5)


def test_hits_come_with_what_is_known_of_them(index):
    hit = index.search(OPTICAL[1].vectors["same"][6:7], MODEL, "same", SENTINEL2, 1).patches[0][0]
    assert (hit.patch_id, hit.scene_id, hit.cell_id) == ("o1_6", "o1", "32633-507200-5400000-1200")
    assert (hit.lon, hit.lat, hit.time) == (15.06, 48.7, datetime(2023, 6, 11, 10, tzinfo=UTC))
    assert hit.labels == (LABELS[2], LABELS[1])
    assert index.patch("o1_6", SENTINEL2) == hit
    assert index.patch("o1_6", SENTINEL1) is None


def test_ids_depend_on_the_patch_alone():
    # Pinned: an index that was written with other ids could no longer be added to.
    assert vector_id("S2A_MSIL2A_20170613T101031_39_24") == 1173125903012703741
    ids = {vector_id(f"patch-{i}") for i in range(20000)}
    assert len(ids) == 20000
    assert all(0 <= i < 2**63 for i in ids)


def test_a_stored_vector_is_found_again_and_an_unknown_patch_named(index):
    np.testing.assert_allclose(index.vector("r1_27", "cross", SENTINEL1)[0], RADAR[1].vectors["cross"][7], atol=1e-3)
    with pytest.raises(UnknownNameError, match="no sentinel1 patch 'o0_7'"):
        index.vector("o0_7", "cross", SENTINEL1)


def test_more_hits_than_patches_gives_all_of_them_once(index):
    hits = index.search(RADAR[0].vectors["same"][:1], MODEL, "same", SENTINEL1, 500)
    assert sorted(hits.patch_ids[0]) == sorted(name for s in RADAR for name in s.patches["patch_id"])


def test_queries_of_another_model_are_refused_by_name(index):
    with pytest.raises(FingerprintMismatchError, match=r"bbbbbbbbbbbb cannot be used .* aaaaaaaaaaaa"):
        index.search(RADAR[0].vectors["same"], "b" * 64, "same", SENTINEL1, 5)


@pytest.mark.parametrize(
    ("query", "k", "error", "says"),
    [
        (np.ones((1, 8), "float32") / 8**0.5, 5, JepaError, r"not \(n, 16\)"),
        (np.full((1, 16), np.nan, "float32"), 5, DescriptorError, "not finite unit"),
        (np.ones((1, 16), "float32"), 5, DescriptorError, "not finite unit"),
        (np.ones((1, 16), "float32") / 4, 0, JepaError, "k is 0"),
    ],
)
def test_bad_queries_are_plain_errors(index, query, k, error, says):
    with pytest.raises(error, match=says):
        index.search(query, MODEL, "same", SENTINEL1, k)


def test_a_sensor_that_the_index_does_not_hold_is_named(tmp_path):
    with writing(tmp_path) as writer:
        writer.apply("crjepa", MODEL, {"sentinel1": Change(RADAR)})
    with pytest.raises(UnknownNameError, match="no sentinel2 patches; it holds sentinel1"):
        open_index(tmp_path).search(RADAR[0].vectors["same"], MODEL, "same", SENTINEL2, 5)


def kept_by(where):
    """The filter as a plain function of a patch's row."""

    def keep(row):
        cloud = row["cloud_fraction"]
        return (
            (where.bbox is None or (where.bbox[0] <= row["lon"] <= where.bbox[2] and row["lat"] >= where.bbox[1]))
            and (where.area is None or where.area.intersects(shapely.Point(row["lon"], row["lat"])))
            and (where.start is None or row["time"] >= where.start)
            and (where.end is None or row["time"] < where.end)
            and (where.max_cloud is None or cloud is None or not np.float32(cloud) > np.float32(where.max_cloud))
            and (where.min_valid is None or np.float32(row["valid_fraction"]) >= np.float32(where.min_valid))
            and (not where.labels or bool(set(where.labels) & set(row["labels"])))
            and (not where.scenes or row["patch_id"].split("_")[0] in where.scenes)
        )

    return keep


times = st.integers(-4, 35).map(lambda day: datetime(2023, 6, 1, 10, tzinfo=UTC) + timedelta(days=day))
shares = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])


@st.composite
def filters(draw):
    start, end = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    west, east = sorted(draw(st.lists(st.floats(14.9, 15.7), min_size=2, max_size=2)))
    triangle = shapely.Polygon([(15.1, 48), (15.5, 48), (15.3, draw(st.floats(48.5, 49.5)))])
    return Filter(
        bbox=draw(st.sampled_from([None, (west, 48.0, east, 49.0)])),
        area=draw(st.sampled_from([None, triangle])),
        start=draw(st.sampled_from([None, start])),
        end=draw(st.sampled_from([None, end])),
        max_cloud=draw(st.one_of(st.none(), shares)),
        min_valid=draw(st.one_of(st.none(), shares)),
        labels=tuple(draw(st.sets(st.sampled_from([*LABELS, "Nothing"]), max_size=2))),
        scenes=tuple(draw(st.sets(st.sampled_from(["o0", "o1", "o9"]), max_size=2))),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=filters(), one_per_cell=st.booleans())
def test_filters_leave_what_a_plain_filter_leaves(index, where, one_per_cell):
    query = RADAR[0].vectors["cross"][:1]
    ids, _ = plain_search(OPTICAL, query, "cross", 180, kept_by(where))
    if one_per_cell:
        # Cells are told by the number behind the scene's name.
        seen = set()
        ids = [[name for name in ids[0] if not (name.split("_")[1] in seen or seen.add(name.split("_")[1]))]]
    hits = index.search(query, MODEL, "cross", SENTINEL2, 7, where, one_per_cell)
    assert hits.patch_ids[0] == ids[0][:7]


def test_a_box_may_lie_across_the_antimeridian(index):
    everything = index.search(RADAR[0].vectors["cross"][:1], MODEL, "cross", SENTINEL2, 5)
    across = Filter(bbox=(15.0, -90.0, -179.0, 90.0))
    assert index.search(RADAR[0].vectors["cross"][:1], MODEL, "cross", SENTINEL2, 5, across) == everything
    elsewhere = Filter(bbox=(179.0, -90.0, -179.0, 90.0))
    assert index.search(RADAR[0].vectors["cross"][:1], MODEL, "cross", SENTINEL2, 5, elsewhere).patches == [[]]


def test_patches_left_out_make_room_for_others(index):
    query = OPTICAL[0].vectors["same"][:1]
    ids, _ = plain_search(OPTICAL, query, "same", 8)
    hits = index.search(query, MODEL, "same", SENTINEL2, 5, without=ids[0][:3])
    assert hits.patch_ids[0] == ids[0][3:]


def test_a_point_is_shown_by_every_date_of_its_cell(tmp_path):
    dates = []
    for date in OPTICAL:
        cells = [Cell(32633, row["xmin"], row["ymin"], row["xmax"], row["ymax"]) for _, row in date.patches.iterrows()]
        places = np.array(centres(cells))
        dates.append(replace(date, patches=date.patches.assign(lon=places[:, 0], lat=places[:, 1])))
    with writing(tmp_path) as writer:
        writer.apply("crjepa", MODEL, {"sentinel2": Change(dates)})
    index = open_index(tmp_path)
    # Corners of the cell six to the east of the zone's central meridian, which lies at 500 km; 10 m inside of them.
    for x, y in ((507_210, 5_399_990), (508_390, 5_398_810), (507_800, 5_399_400)):
        (lon,), (lat,) = transform("EPSG:32633", "EPSG:4326", [x], [y])
        shown = index.covering(lon, lat, SENTINEL2)
        assert {patch.cell_id for patch in shown} == {"32633-507200-5400000-1200"}
        assert sorted(patch.patch_id for patch in shown) == ["o0_6", "o1_6", "o2_6"]
    # Beside the cells; and where a transverse Mercator projection has no answer, there is none.
    for lon, lat in ((15.102, 48.9), (105.0, 0.0), (-75.0, 0.5), (0.0, 90.0)):
        assert index.covering(lon, lat, SENTINEL2) == []


def test_an_area_is_searched_in_threads(index):
    coast = shapely.Point(15.3, 48.7).buffer(0.2, quad_segs=5000)
    query = RADAR[0].vectors["cross"][:1]
    expected = index.search(query, MODEL, "cross", SENTINEL2, 50, Filter(area=coast))
    with ThreadPoolExecutor(8) as pool:
        where = Filter(area=coast)
        found = list(pool.map(lambda _: index.search(query, MODEL, "cross", SENTINEL2, 50, where), range(64)))
    assert all(hits == expected for hits in found)
    assert 10 < len(expected.patches[0]) < 180


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"bbox": (0, 50, 1, 40)}, "no bounding box"),
        ({"bbox": (0, -91, 1, 40)}, "no bounding box"),
        ({"area": shapely.Point(0, 0)}, "not a Point"),
        ({"area": shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])}, "no valid polygon"),
        ({"area": shapely.box(300_000, 5_000_000, 400_000, 5_100_000)}, "degrees are meant"),
        ({"start": datetime(2020, 1, 1)}, "has no time zone"),
        ({"start": datetime(2020, 1, 2, tzinfo=UTC), "end": datetime(2020, 1, 2, tzinfo=UTC)}, "range is empty"),
        ({"max_cloud": 30}, "max_cloud is 30"),
        ({"min_valid": -0.1}, "min_valid is -0.1"),
    ],
)
def test_filters_that_can_only_be_mistakes_are_refused(fields, says):
    with pytest.raises(FilterError, match=says):
        Filter(**fields)


@pytest.mark.parametrize("wrapped", ["geometry", "feature", "collection"])
def test_areas_are_read_from_geojson(tmp_path, wrapped):
    square = '{"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]]}'
    feature = f'{{"type": "Feature", "properties": {{}}, "geometry": {square}}}'
    texts = {
        "geometry": square,
        "feature": feature,
        "collection": f'{{"type": "FeatureCollection", "features": [{feature}, {feature}]}}',
    }
    (tmp_path / "area.geojson").write_text(texts[wrapped])
    assert read_area(tmp_path / "area.geojson").equals(shapely.box(0, 0, 1, 1))


BOWTIE = '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}'


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"type": "FeatureCollection", "features": []}', '{"type": "Mars"}'])
def test_what_is_no_geojson_is_named(tmp_path, text):
    (tmp_path / "area.geojson").write_text(text)
    with pytest.raises(FilterError, match=r"area\.geojson"):
        read_area(tmp_path / "area.geojson")
