"""Bad scenes of `scenes.csv`."""

import numpy as np
import pytest

from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENTINEL2
from tests.jepa_core.faults.scenes import GOOD, edit, set_aside_alone, shorten, table

TABLE = {
    "truncated TIFF": ({}, lambda p: shorten(p), r"bad\d+\.tif cannot be read as a raster"),
    "zero bytes": ({}, lambda p: p.write_bytes(b""), r"bad\d+\.tif cannot be read as a raster"),
    "no file": ({}, lambda p: p.unlink(), r"scenes\.csv, line \d+: there is no file \S+bad\d+\.tif"),
    "no CRS": ({"crs": None}, None, r"bad\d+\.tif has no coordinate reference system"),
    "degrees in UTM": ({"left": 13.9, "top": 48.7, "pixel": 0.0001}, None, r"bad\d+\.tif has pixels of 0\.0001 m"),
    "metres in degrees": ({"crs": "EPSG:4326"}, None, r"bad\d+\.tif has pixels of .* must be wrong"),
    "a zone far away": ({"left": 5_000_000.0}, None, r"bad\d+\.tif lies .*: its coordinate reference system"),
    "all nodata": ({"values": np.zeros((12, 240, 240), "uint16")}, None, r"bad\d+ has no cell with 0\.05"),
    "NaN": ({"values": np.full((12, 240, 240), np.nan, "float32")}, None, r"bad\d+ has no cell with 0\.05"),
    "swapped bands": (
        {"names": ("B02", "B01", *SENTINEL2.band_names[2:])},
        None,
        r"bad\d+\.tif describes its band 1 as B02; it should be B01",
    ),
    "missing band": (
        {},
        lambda p: edit(p.parent / "scenes.csv", rf"{p.stem},s2,[^,]+,B08,[^\n]+\n", ""),
        r"scenes\.csv: scene bad\d+ has no band B08",
    ),
    "no time": (
        {},
        lambda p: edit(p.parent / "scenes.csv", rf"({p.stem},s2,)[^,]+(,B01)", r"\1\2"),
        r"scenes\.csv, line \d+: '' is no time",
    ),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bad_scenes_of_the_table_are_set_aside_alone(bench):
    table(bench.root, GOOD, "good")
    bad = {}
    for i, (given, harm, says) in enumerate(TABLE.values()):
        path = table(bench.root, scene=f"bad{i}", **given)
        if harm:
            harm(path)
        bad[f"scenes.csv#bad{i}"] = says
    set_aside_alone(bench, SENTINEL2, bad)


def test_a_scene_of_a_name_that_cannot_be_a_file_is_set_aside(bench):
    table(bench.root, GOOD, "good")
    bad = table(bench.root)
    edit(bad.parent / "scenes.csv", r"\nbad,", r"\n../bad,")
    set_aside_alone(bench, SENTINEL2, {"scenes.csv#../bad": r"the scene id '\.\./bad' may hold"})


def test_values_that_are_no_number_are_missing_where_they_are(bench):
    values = np.full((12, 240, 240), 1000, "float32")
    values[4, :120, :60] = np.nan
    values[7, :120, 60:90] = np.inf
    table(bench.root, GOOD, "good", values=values)
    bench.cut(SENTINEL2)
    rows = read_patches(bench.store, SENTINEL2)
    assert sorted(rows["valid_fraction"]) == pytest.approx([0.25, 1, 1, 1])
