import csv
from datetime import UTC, datetime

import numpy as np
import pytest

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError
from jepa_core.archive.scene_table import find_sources
from jepa_core.sensors import SENTINEL1, SENTINEL2
from tests.jepa_core.test_cutting import write

COLUMNS = ["scene", "sensor", "time", "band", "file", "number", "unit", "nodata"]
VV = ["a", "s1", "2020-06-01T05:00:00Z", "VV", "a.tif", "1", "dB", ""]
VH = ["a", "s1", "2020-06-01T05:00:00Z", "VH", "a.tif", "2", "dB", "-99"]


@pytest.fixture
def archive(tmp_path):
    write(tmp_path / "a.tif", np.full((2, 120, 120), -12, "float32"), 600_000, 5_400_000, 10.0)
    return tmp_path


def table(root, *rows, columns=COLUMNS):
    with (root / "scenes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def read_scene_table(root, sensor):
    return [source.read() for source in find_sources(root, sensor)]


def test_a_line_a_band_whatever_their_order(archive):
    table(archive, VH, VV)
    (scene,) = read_scene_table(archive, SENTINEL1)
    assert scene.id == "a"
    assert scene.time == datetime(2020, 6, 1, 5, tzinfo=UTC)
    assert list(scene.rasters) == ["VV", "VH"]
    assert (scene.rasters["VH"].number, scene.rasters["VH"].nodata) == (2, -99.0)
    assert scene.rasters["VV"].nodata is None
    assert list(find_sources(archive, SENTINEL2)) == []


def test_times_of_other_zones_come_to_utc_and_those_of_none_are_utc(archive):
    for text in ("2020-06-01T07:00:00+02:00", "2020-06-01 05:00:00"):
        table(archive, [*VV[:2], text, *VV[3:]], [*VH[:2], text, *VH[3:]])
        assert read_scene_table(archive, SENTINEL1)[0].time == datetime(2020, 6, 1, 5, tzinfo=UTC)


def test_without_a_table_there_are_no_scenes(tmp_path):
    assert list(find_sources(tmp_path, SENTINEL1)) == []


def changed(row, **changes):
    return [changes.get(column, value) for column, value in zip(COLUMNS, row, strict=True)]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([VV], "scene a has no band VH"),
        ([VV, VH, VV], "line 4: scene a has band VV twice"),
        ([VV, changed(VH, time="2021-01-01")], "2 different times"),
        ([changed(VV, band="HH")], "line 2: sentinel1 has no band 'HH'"),
        ([changed(VV, unit="")], "the unit is ''; for sentinel1 it is dB or linear"),
        ([changed(VV, unit="DN")], "the unit is 'DN'"),
        ([changed(VV, time="")], "line 2: '' is no time"),
        ([changed(VV, number="two")], "line 2: invalid literal"),
        ([changed(VV, file="b.tif")], "there is no file"),
        ([changed(VV, file="../secret.tif")], "lies outside the archive"),
        ([changed(VV, file="/etc/passwd")], "lies outside the archive"),
    ],
)
def test_a_wrong_line_is_named(archive, rows, says):
    table(archive, *rows)
    with pytest.raises(ArchiveError, match=says):
        read_scene_table(archive, SENTINEL1)


def test_a_missing_column_and_an_unknown_sensor_are_named(archive):
    table(archive, VV[:-2], columns=COLUMNS[:-2])
    with pytest.raises(ArchiveError, match="has no column unit, nodata"):
        read_scene_table(archive, SENTINEL1)
    table(archive, changed(VV, sensor="s9"))
    with pytest.raises(ArchiveError, match="unknown sensor 's9'"):
        read_scene_table(archive, SENTINEL1)


def test_a_changed_file_or_line_changes_the_scene_s_content(archive):
    table(archive, VV, VH)
    stamps = [Archive(archive).sources(SENTINEL1)[0].stamp]
    table(archive, VV, changed(VH, nodata="-98"))
    stamps.append(Archive(archive).sources(SENTINEL1)[0].stamp)
    write(archive / "a.tif", np.full((2, 120, 121), -12, "float32"), 600_000, 5_400_000, 10.0)
    stamps.append(Archive(archive).sources(SENTINEL1)[0].stamp)
    assert len(set(stamps)) == 3
