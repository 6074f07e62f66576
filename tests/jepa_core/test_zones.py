import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.archive.scene import ArchiveError
from jepa_core.zones import from_lon_lat, is_utm, to_lon_lat, zones_of


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [
        (13.9, 48.7, 32633),
        (12.0, 48.7, 32633),
        (11.9999, 48.7, 32632),
        (-58.4, -34.6, 32721),
        (0.0, 0.0, 32631),
        (0.0, -1e-9, 32731),
        # Southern Norway: zone 32 reaches over to the west.
        (5.3, 60.4, 32632),
        (2.9, 60.4, 32631),
        (3.0, 56.0, 32632),
        (3.0, 55.9, 32631),
        (3.0, 64.0, 32631),
        (5.3, 63.9, 32632),
        # Svalbard: odd zones alone.
        (8.9, 78.0, 32631),
        (9.0, 78.0, 32633),
        (15.6, 78.2, 32633),
        (20.9, 72.0, 32633),
        (21.0, 78.0, 32635),
        (33.0, 78.0, 32637),
        (41.9, 83.9, 32637),
        (42.0, 78.0, 32638),
        (-0.1, 78.0, 32630),
        (8.9, 71.9, 32632),
        # 180 degrees, from both sides and by any turn of the circle.
        (179.9, 10.0, 32660),
        (180.0, 10.0, 32601),
        (-180.0, 10.0, 32601),
        (180.1, 10.0, 32601),
        (-179.9, -10.0, 32701),
        (360.1, 48.7, 32631),
        (-181.0, 10.0, 32660),
        # Where UTM ends.
        (20.0, 84.0, 32633),
        (20.0, 84.001, 0),
        (20.0, -80.0, 32734),
        (20.0, -80.001, 0),
        (0.0, 90.0, 0),
        (0.0, -90.0, 0),
    ],
)
def test_every_place_belongs_to_one_zone_or_none(longitude, latitude, epsg):
    assert zones_of(np.array([longitude]), np.array([latitude])).tolist() == [epsg]


def test_what_is_no_number_belongs_to_no_zone():
    with np.errstate(invalid="ignore"):
        found = zones_of(np.array([np.nan, 10.0, np.inf]), np.array([10.0, np.nan, 10.0]))
    assert found.tolist() == [0, 0, 0]


@given(st.floats(-180, 180), st.floats(-80, 84), st.integers(-1, 1))
def test_a_zone_is_near_its_places_and_turns_do_not_matter(longitude, latitude, turns):
    (epsg,) = zones_of(np.array([longitude]), np.array([latitude])).tolist()
    assert is_utm(epsg)
    assert (epsg > 32700) == (latitude < 0)
    off = abs((longitude - (6 * (epsg % 100) - 183) + 180) % 360 - 180)
    # Half a zone; a whole one in Norway and 4.5 degrees more on Svalbard.
    assert off <= 9 + 1e-9
    # Adding a whole turn may round a place over a border.
    if min((longitude % 3), 3 - (longitude % 3)) > 1e-6:
        assert zones_of(np.array([longitude + 360 * turns]), np.array([latitude])).tolist() == [epsg]


@given(st.floats(-180, 180), st.floats(-79.9, 83.9))
def test_places_go_to_their_zone_and_back(longitude, latitude):
    (epsg,) = zones_of(np.array([longitude]), np.array([latitude])).tolist()
    x, y = from_lon_lat(epsg, (np.array([longitude]), np.array([latitude])))
    lon, lat = to_lon_lat(f"EPSG:{epsg}", x, y, "a")
    assert abs((lon[0] - longitude + 180) % 360 - 180) * np.cos(np.radians(latitude)) < 1e-7
    assert abs(lat[0] - latitude) < 1e-7


@pytest.mark.parametrize(
    ("crs", "x", "y"),
    [
        ("EPSG:4326", 420_000.0, 5_400_000.0),
        ("EPSG:4326", 10.0, 91.0),
        ("EPSG:32633", 1e9, 5_400_000.0),
        ("EPSG:32633", np.nan, 5_400_000.0),
        ("EPSG:32633", np.inf, 5_400_000.0),
        ("EPSG:999999", 1.0, 1.0),
        ("", 1.0, 1.0),
    ],
)
def test_what_lies_nowhere_is_refused_by_name(crs, x, y):
    with pytest.raises(ArchiveError, match=r"a\.tif"):
        to_lon_lat(crs, np.array([x]), np.array([y]), "a.tif")


@given(st.integers(0, 99_999))
def test_utm_codes_are_those_of_sixty_zones_north_and_south(epsg):
    assert is_utm(epsg) == (epsg // 100 in (326, 327) and 1 <= epsg % 100 <= 60)
    assert not is_utm(None)
