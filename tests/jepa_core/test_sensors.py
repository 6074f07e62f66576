import pytest

from jepa_core.errors import UnknownNameError
from jepa_core.sensors import SENSORS, SENTINEL1, SENTINEL2, sensor_named


def test_bands_are_found_by_name_whatever_their_order():
    assert SENTINEL2.positions(("B04", "B03", "B02")) == [3, 2, 1]
    assert SENTINEL1.positions(("VH",)) == [1]


def test_an_unknown_band_is_named():
    with pytest.raises(UnknownNameError, match="sentinel2 has no band 'B10'"):
        SENTINEL2.positions(("B02", "B10"))


@pytest.mark.parametrize("name", ["s1", "S1", "sentinel1"])
def test_short_and_long_names_give_the_same_sensor(name):
    assert sensor_named(name) is SENTINEL1


def test_an_unknown_sensor_error_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"s1 \(sentinel1\), s2 \(sentinel2\)"):
        sensor_named("s3")


def test_every_sensor_has_one_unit_and_bands_of_distinct_names():
    for sensor in SENSORS.values():
        assert len({band.unit for band in sensor.bands}) == 1
        assert len(set(sensor.band_names)) == len(sensor.bands)
