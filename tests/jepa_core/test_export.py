"""What is exported is read by those that it is meant for, as it lies."""

import json
import shutil

import duckdb
import geopandas
import lancedb
import numpy as np
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet as pq
import pystac
import pytest
import shapely

from jepa_core.errors import NotMaterializedError
from jepa_core.export import geoparquet
from jepa_core.export.footprints import footprints
from jepa_core.export.geoparquet import ExportError, export_descriptors
from jepa_core.index.ids import vector_id
from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.vectors import DescriptorError


@pytest.fixture(scope="module")
def exported(cut_store, trained, described, tmp_path_factory):
    """The file with the descriptors of Sentinel-2."""
    path = tmp_path_factory.mktemp("export") / "s2.parquet"
    summary = export_descriptors(cut_store, "crjepa", trained.fingerprint, SENTINEL2, path)
    assert (summary.patches, summary.collection) == (24, path.parent / "s2.collection.json")
    assert sorted(p.name for p in path.parent.iterdir()) == ["s2.collection.json", "s2.parquet"]
    return path


@pytest.fixture(scope="module")
def query(described):
    """A descriptor of Sentinel-1 and the patches of Sentinel-2, nearest first."""
    vector = described["sentinel1"].vectors["cross"][3]
    gallery = described["sentinel2"]
    return vector, gallery.patch_ids[np.argsort(-(gallery.vectors["cross"] @ vector))].tolist()


def test_geopandas_reads_footprints_and_their_reference_system(exported, cut_store):
    frame = geopandas.read_parquet(exported).set_index("patch_id")
    patches = read_patches(cut_store, SENTINEL2).set_index("patch_id").loc[frame.index]
    assert frame.crs.to_string() == "OGC:CRS84"
    assert frame["id"].tolist() == [vector_id(name) for name in frame.index]
    pd.testing.assert_series_equal(frame["datetime"], patches["time"], check_names=False)
    # Back in metres they are the squares that were cut.
    assert patches["crs"].unique().tolist() == ["EPSG:32633"]
    metres = frame.geometry.to_crs("EPSG:32633")
    squares = shapely.box(*patches[["xmin", "ymin", "xmax", "ymax"]].to_numpy().T)
    assert shapely.hausdorff_distance(metres.to_numpy(), squares).max() < 0.01
    assert frame["labels"].map(list).tolist() == patches["labels"].map(list).tolist()


def test_geopandas_reads_only_what_lies_in_a_box(exported):
    everything = geopandas.read_parquet(exported)
    west, south, _, north = everything.total_bounds
    middle = everything.geometry.bounds["minx"].median()
    part = geopandas.read_parquet(exported, bbox=(west, south, middle, north))
    assert part["patch_id"].tolist() == everything.cx[west:middle, south:north]["patch_id"].tolist()
    assert 0 < len(part) < len(everything)


def test_duckdb_ranks_by_cosine_and_restricts_by_time(exported, query, cut_store):
    vector, truth = query
    dimension = len(vector)
    ranked = duckdb.execute(
        f"SELECT patch_id, array_cosine_similarity(embedding_cross::FLOAT[{dimension}], $1::FLOAT[{dimension}]) AS "
        f"cosine FROM '{exported}' ORDER BY cosine DESC",
        [vector.tolist()],
    ).fetchall()
    assert [name for name, _ in ranked][:3] == truth[:3]
    acquired = read_patches(cut_store, SENTINEL2)["time"].max().to_pydatetime()
    counts = [
        duckdb.execute(f"SELECT count(*) FROM '{exported}' WHERE datetime {sign} $1", [acquired]).fetchall()[0][0]
        for sign in ("<=", ">")
    ]
    assert counts == [24, 0]
    (kinds,) = duckdb.sql(f"SELECT typeof(geometry), typeof(embedding_same) FROM '{exported}' LIMIT 1").fetchall()
    assert kinds == ("GEOMETRY('OGC:CRS84')", "FLOAT[]")


def test_lancedb_makes_a_table_of_the_file_and_searches_it(exported, query, tmp_path):
    vector, truth = query
    table = lancedb.connect(tmp_path).create_table("patches", pyarrow.dataset.dataset(exported))
    hits = table.search(vector, vector_column_name="embedding_cross").distance_type("cosine").limit(3).to_list()
    assert [hit["patch_id"] for hit in hits] == truth[:3]
    assert hits[0]["id"] == vector_id(truth[0])


def test_vectors_are_those_that_were_described(exported, described, trained):
    table = pq.read_table(exported)
    order = np.argsort(np.array(table["patch_id"].to_pylist()))
    for kind in ("same", "cross"):
        flat = table[f"embedding_{kind}"].combine_chunks().flatten().to_numpy()
        vectors = flat.reshape(24, -1)[order].astype("float32")
        np.testing.assert_allclose(vectors, described["sentinel2"].vectors[kind], atol=1e-3)
    assert set(table["model_fingerprint"].to_pylist()) == {trained.fingerprint}
    assert set(table["model"].to_pylist()) == {"crjepa"}


def test_small_scenes_share_row_groups_and_large_ones_are_spread(cut_store, trained, described, tmp_path, monkeypatch):
    sizes = {}
    for rows in (2, 7):
        monkeypatch.setattr(geoparquet, "_ROWS", rows)
        path = tmp_path / f"{rows}.parquet"
        export_descriptors(cut_store, "crjepa", trained.fingerprint, SENTINEL1, path)
        metadata = pq.read_metadata(path)
        sizes[rows] = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    # Scenes of three patches each.
    assert sizes == {2: [2, 1] * 8, 7: [7, 2, 7, 2, 6]}


def test_the_stac_collection_says_what_is_in_the_file(exported, trained, described):
    beside = exported.with_suffix(".collection.json")
    collection = pystac.Collection.from_file(str(beside))
    fields = collection.extra_fields
    assert fields["emb:type"] == "chip"
    # The draft has one number; of kinds of unlike length it is the longer one's.
    assert fields["emb:dimensions"] == max(kind.shape[1] for kind in described["sentinel2"].vectors.values())
    assert fields["data_type"] == "float16"
    assert fields["emb:chip_layout"]["chip_size"] == [120, 120]
    assert trained.fingerprint in collection.get_single_link("emb:model").target
    assert collection.get_single_link("emb:source-data") is not None
    asset = collection.assets["embeddings"]
    assert pq.read_schema(asset.get_absolute_href()).names == [
        column["name"] for column in asset.extra_fields["table:columns"]
    ]
    bounds = geopandas.read_parquet(exported).total_bounds
    np.testing.assert_allclose(collection.extent.spatial.bboxes[0], bounds)
    metadata = pq.read_metadata(exported).metadata
    assert json.loads(metadata[b"stac:collection"]) == json.loads(beside.read_text())
    np.testing.assert_allclose(json.loads(metadata[b"geo"])["columns"]["geometry"]["bbox"], bounds)


def test_a_scene_without_descriptors_leaves_the_last_export_as_it_was(exported, cut_store, trained, tmp_path):
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    path = shutil.copy(exported, tmp_path / "s2.parquet")
    before = path.read_bytes()
    file = sorted((store.descriptors("crjepa", trained.fingerprint) / "sentinel2").glob("*.parquet"))[-1]
    broken = file.read_bytes()[:100]
    file.unlink()
    with pytest.raises(NotMaterializedError, match="--select crjepa_descriptors"):
        export_descriptors(store, "crjepa", trained.fingerprint, SENTINEL2, path)
    file.write_bytes(broken)
    with pytest.raises(DescriptorError, match=file.name):
        export_descriptors(store, "crjepa", trained.fingerprint, SENTINEL2, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "s2.parquet"]


def test_patches_of_no_scene_and_other_names_are_refused(trained, cut_store, tmp_path):
    with pytest.raises(NotMaterializedError, match="--select sentinel1_patches"):
        export_descriptors(Store.at(tmp_path), "crjepa", trained.fingerprint, SENTINEL1, tmp_path / "a.parquet")
    with pytest.raises(ExportError, match=r"ends on \.parquet"):
        export_descriptors(cut_store, "crjepa", trained.fingerprint, SENTINEL1, tmp_path / "a.csv")


def squares(crs, places):
    return pd.DataFrame([{"crs": crs, "xmin": x, "ymin": y, "xmax": x + 1200, "ymax": y + 1200} for x, y in places])


def test_footprints_of_several_zones_lie_where_their_zones_do():
    patches = pd.concat([squares("EPSG:32633", [(500_000, 5_400_000)]), squares("EPSG:32719", [(500_000, 6_000_000)])])
    north, south = footprints(patches)
    assert north.bounds == pytest.approx((15.0, 48.75, 15.016, 48.76), abs=0.01)
    assert south.bounds == pytest.approx((-69.0, -36.14, -68.987, -36.13), abs=0.01)
    assert all(shape.exterior.is_ccw for shape in (north, south))


def test_a_footprint_across_180_degrees_is_in_two_parts():
    # The edge of zone 60 lies at about x = 834,000 at the equator.
    (shape,) = footprints(squares("EPSG:32660", [(833_400, 0)]))
    assert shape.geom_type == "MultiPolygon"
    assert sorted(part.bounds[0] < 0 for part in shape.geoms) == [False, True]
    assert all(part.exterior.is_ccw and part.bounds[2] - part.bounds[0] < 0.011 for part in shape.geoms)
    side = 1200 / 111_320
    assert shape.area == pytest.approx(side**2, rel=0.02)
