"""Which cells scenes have: across borders of zones, across 180 degrees, near the poles, and where there are none."""

from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from jepa_core.archive.discover import Archive
from jepa_core.archive.scene import ArchiveError, BandRaster, Scene
from jepa_core.cutting import CutConfig
from jepa_core.cutting import cut as cut_scene
from jepa_core.footprint import blocks_of
from jepa_core.grid import Grid
from jepa_core.sensors import SENTINEL1
from jepa_core.testing.geometry import Swath
from jepa_core.testing.place import LONLAT, PixelGrid, to_epsg
from jepa_core.testing.plain_worlds import NORTHWARD, RampWorld
from jepa_core.testing.sentinel1_safe import write_sentinel1_safe
from jepa_core.zones import zones_of

TIME = datetime(2023, 6, 3, 5, tzinfo=UTC)


def raster(path, left, top, width, height, pixel, crs, values=None):
    values = np.full((height, width), -10.0, "float32") if values is None else values
    size = {"width": width, "height": height, "count": 1, "dtype": "float32"}
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=from_origin(left, top, pixel, pixel), **size
    ) as file:
        file.write(values.astype("float32"), 1)
    return path


def scene(vv, vh=None, epsg=None):
    rasters = {"VV": BandRaster(str(vv), "dB"), "VH": BandRaster(str(vh or vv), "dB")}
    return Scene("scene", SENTINEL1, TIME, rasters=rasters, epsg=epsg)


def cut(scene, grid=None):
    faults = []
    found = list(cut_scene(scene, CutConfig(grid=grid or Grid(), min_valid_fraction=0.0), faults))
    assert faults == []
    return found


def each_place_once(patches, inside):
    """Every cell's middle belongs to its zone; `inside` places are in the cells of one zone, and in one cell of it.

    Args:
        patches: of one scene, on the usual grid.
        inside: longitudes and latitudes of places well inside the scene.
    """
    cells = [patch.cell for patch in patches]
    assert len({cell.id for cell in cells}) == len(cells)
    for cell in cells:
        x, y = np.array([(cell.xmin + cell.xmax) / 2]), np.array([(cell.ymin + cell.ymax) / 2])
        assert zones_of(*to_epsg(x, y, cell.epsg, LONLAT)).tolist() == [cell.epsg]
    zones = zones_of(*inside)
    count = np.zeros(len(zones), dtype=int)
    for cell in cells:
        x, y = to_epsg(*inside, LONLAT, cell.epsg)
        own = zones == cell.epsg
        count += own & (x >= cell.xmin) & (x < cell.xmax) & (y >= cell.ymin) & (y < cell.ymax)
    return zones, count


def test_a_scene_across_a_zone_border_has_cells_of_both_zones_and_no_place_twice(tmp_path):
    # Zone 33 begins at 12 degrees: at 48 N that is easting 276 km of it.
    left, top = 271_000.0, 5_325_000.0
    world = RampWorld(left - 1_000, top - 12_000, extent_m=16_000)
    grid = PixelGrid.square(32633, left, top, 9_600, 20)
    paths = [
        raster(
            tmp_path / f"{p}.tif",
            left,
            top,
            480,
            480,
            20.0,
            "EPSG:32633",
            10 * np.log10(world.sigma0(p, *grid.centres(), 32633)),
        )
        for p in ("VV", "VH")
    ]
    found = cut(scene(*paths, epsg=32633))
    assert {patch.cell.epsg for patch in found} == {32632, 32633}
    rng = np.random.default_rng(0)
    east, north = rng.uniform(left + 1, left + 9_599, 2000), rng.uniform(top - 9_599, top - 1, 2000)
    zones, count = each_place_once(found, to_epsg(east, north, 32633, LONLAT))
    assert {32632, 32633} == set(zones.tolist())
    # A place beside the border may be in a cell of the other zone, whose middle is there; none is in two of its own.
    assert count.max() == 1
    beside = np.abs(to_epsg(east, north, 32633, LONLAT)[0] - 12.0) * 74_000 < 900
    assert (count[~beside] == 1).all()
    # Both zones show the ground where it is; half a pixel of the raster along its rim has nothing to go on.
    for patch in found:
        own = PixelGrid.square(patch.cell.epsg, patch.cell.xmin, patch.cell.ymax, 1200, 10)
        x, y = to_epsg(*own.centres(), patch.cell.epsg, 32633)
        keep = (x > left + 20) & (x < left + 9_580) & (y < top - 20) & (y > top - 9_580)
        for values, p in zip(patch.pixels, ("VV", "VH"), strict=True):
            there = world.coordinate(p, 10 ** (values.astype(float) / 10))
            assert np.isfinite(values[keep]).all()
            # The values are interpolated in dB, of a ramp in power.
            assert np.abs(there - (y if p in NORTHWARD else x))[keep].max(initial=0) < 1.0


def test_two_scenes_of_neighbouring_zones_share_the_cells_of_their_common_ground(tmp_path):
    east = raster(tmp_path / "33.tif", 271_000.0, 5_325_000.0, 480, 480, 20.0, "EPSG:32633")
    x, y = to_epsg(np.array([275_800.0]), np.array([5_320_200.0]), 32633, 32632)
    west = raster(tmp_path / "32.tif", round(x[0]) - 4_800.0, round(y[0]) + 4_800.0, 480, 480, 20.0, "EPSG:32632")
    a, b = ({p.cell.id: p for p in cut(scene(path)) if p.valid_fraction == 1} for path in (east, west))
    shared = set(a) & set(b)
    assert len(shared) > 20
    assert {int(cell[:5]) for cell in shared} == {32632, 32633}


@pytest.mark.parametrize("turn", [0, 360])
def test_a_raster_in_degrees_across_180_is_whole_on_both_sides(tmp_path, turn):
    # Written with longitudes that run on beyond 180, or that begin before -180.
    east, north = np.meshgrid((np.arange(2000) + 0.5) * 1e-4, 0.05 - (np.arange(500) + 0.5) * 1e-4)
    paths = [
        raster(tmp_path / f"{i}.tif", 179.9 - turn, 0.05 + 10, 2000, 500, 0.0001, "EPSG:4326", ramp * 100 - 30)
        for i, ramp in enumerate((east, north))
    ]
    found = cut(scene(*paths))
    assert {patch.cell.epsg for patch in found} == {32660, 32601}
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(179.901, 180.099, 2000), rng.uniform(10.001, 10.049, 2000)
    _, count = each_place_once(found, ((lon + 180) % 360 - 180, lat))
    assert (count[np.abs(lon - 180) > 0.012] == 1).all()
    assert count.max() == 1
    # Values say where they are from: a tenth of a pixel is a thousandth of them.
    for patch in found:
        own = PixelGrid.square(patch.cell.epsg, patch.cell.xmin, patch.cell.ymax, 1200, 10)
        there = to_epsg(*own.centres(), patch.cell.epsg, LONLAT)
        truth = [(there[0] % 360 - 179.9) * 100 - 30, (there[1] - 10) * 100 - 30]
        keep = (truth[0] > -29.99) & (truth[0] < -10.01) & (truth[1] > -29.99) & (truth[1] < -25.01)
        assert np.abs(patch.pixels - truth)[:, keep].max(initial=0) < 9e-4
    # Nothing of the scene is lost: as many valid pixels as its ground has, give or take a cell along the border.
    ground = 0.2 * 0.05 * 111_320 * 110_600 * np.cos(np.radians(10.025))
    assert sum(patch.valid_fraction for patch in found) * 1200**2 == pytest.approx(ground, abs=1_200 * 5_600)


def test_a_raster_of_zone_60_that_reaches_over_180_is_whole_on_both_sides(tmp_path):
    x, y = to_epsg(np.array([180.0]), np.array([-17.0]), LONLAT, 32760)
    left, top = round(x[0]) - 6_000.0, round(y[0]) + 3_000.0
    found = cut(scene(raster(tmp_path / "a.tif", left, top, 600, 300, 20.0, "EPSG:32760"), epsg=32760))
    assert {patch.cell.epsg for patch in found} == {32760, 32701}
    rng = np.random.default_rng(0)
    east, north = rng.uniform(left + 1, left + 11_999, 2000), rng.uniform(top - 5_999, top - 1, 2000)
    lon, lat = to_epsg(east, north, 32760, LONLAT)
    _, count = each_place_once(found, (lon, lat))
    assert count.max() == 1
    assert (count[np.abs(east - x[0]) > 1_300] == 1).all()
    assert sum(patch.valid_fraction for patch in found) * 1200**2 == pytest.approx(12_000 * 6_000, abs=1_200 * 6_000)


def test_a_radar_image_across_180_is_whole_on_both_sides(tmp_path):
    world = RampWorld(0, 0, base_epsg=32760)
    x, y = to_epsg(np.array([179.99]), np.array([-17.0]), LONLAT, 32760)
    world = RampWorld(x[0] - 6_000, y[0] - 6_000, extent_m=12_000, base_epsg=32760)
    root = tmp_path / "archive"
    root.mkdir()
    write_sentinel1_safe(
        root, world, longitude=179.99, latitude=-17.0, lines=500, samples=600, time=TIME, gain=60.0, noise=None
    )
    (source,) = Archive(root).sources(SENTINEL1)
    found = cut(source.read())
    assert {patch.cell.epsg for patch in found} == {32760, 32701}
    swath = Swath.around(179.99, -17.0, "ascending", 500, 600)
    for patch in found:
        own = PixelGrid.square(patch.cell.epsg, patch.cell.xmin, patch.cell.ymax, 1200, 10)
        px, py = to_epsg(*own.centres(), patch.cell.epsg, 32760)
        line, sample = swath.find(px, py)
        keep = (line > 0) & (line < 499) & (sample > 0) & (sample < 599)
        assert np.isfinite(patch.pixels[:, keep]).all()
        for values, p in zip(patch.pixels, ("VV", "VH"), strict=True):
            there = world.coordinate(p, 10 ** (values.astype(float) / 10))
            assert np.abs(there - (py if p in NORTHWARD else px))[keep].max(initial=0) < 1.0
    assert sum(patch.valid_fraction for patch in found) * 1200**2 == pytest.approx(5_000 * 6_000, abs=1_200 * 5_200)


def test_near_the_end_of_the_zones_each_place_is_in_one(tmp_path):
    x, y = to_epsg(np.array([14.9]), np.array([83.97]), LONLAT, 32633)
    left, top = round(x[0]) - 3_000.0, round(y[0]) + 6_000.0
    found = cut(scene(raster(tmp_path / "a.tif", left, top, 300, 600, 20.0, "EPSG:32633")))
    assert {patch.cell.epsg for patch in found} == {32633}
    rng = np.random.default_rng(0)
    east, north = rng.uniform(left + 1, left + 5_999, 2000), rng.uniform(top - 11_999, top - 1, 2000)
    lon, lat = to_epsg(east, north, 32633, LONLAT)
    zones, count = each_place_once(found, (lon, lat))
    assert {0, 32633} == set(zones.tolist())
    assert (count[lat < 83.985] == 1).all()
    assert count[lat > 84.015].sum() == 0


def test_near_the_pole_a_scene_reaches_over_many_zones(tmp_path):
    # At 83.9 N a zone's six degrees are 71 km; between Greenland and Ellesmere none is bent.
    x, y = to_epsg(np.array([-48.0]), np.array([83.9]), LONLAT, 32622)
    left, top = round(x[0]) - 6_000.0, round(y[0]) + 2_400.0
    found = cut(scene(raster(tmp_path / "a.tif", left, top, 600, 240, 20.0, "EPSG:32622")))
    assert {patch.cell.epsg for patch in found} == {32622, 32623}
    rng = np.random.default_rng(0)
    east, north = rng.uniform(left + 1, left + 11_999, 2000), rng.uniform(top - 4_799, top - 1, 2000)
    lon, lat = to_epsg(east, north, 32622, LONLAT)
    _, count = each_place_once(found, (lon, lat))
    assert count.max() == 1
    assert (count[np.abs(lon + 48) * np.cos(np.radians(lat)) * 111_320 > 1_300] == 1).all()


@pytest.mark.parametrize(
    ("latitude", "crs", "pixel"), [(86.0, "EPSG:3413", 20.0), (-85.0, "EPSG:3031", 20.0), (86.0, "EPSG:32633", 20.0)]
)
def test_beyond_the_zones_there_is_a_plain_error(tmp_path, latitude, crs, pixel):
    x, y = to_epsg(np.array([15.0]), np.array([latitude]), LONLAT, int(crs[5:]))
    path = raster(tmp_path / "a.tif", x[0], y[0], 100, 100, pixel, crs)
    with pytest.raises(ArchiveError, match="scene lies beyond the UTM zones, which end at 84 degrees north"):
        blocks_of(scene(path), Grid())


def test_a_polar_raster_that_reaches_into_the_zones_is_cut_there(tmp_path):
    x, y = to_epsg(np.array([15.0]), np.array([78.0]), LONLAT, 3413)
    found = cut(scene(raster(tmp_path / "a.tif", x[0], y[0], 200, 200, 20.0, "EPSG:3413")))
    assert {patch.cell.epsg for patch in found} == {32633}
    # The projection stretches by a few percent there.
    assert sum(patch.valid_fraction for patch in found) * 1200**2 == pytest.approx(4_000**2, rel=0.05)


def test_bands_that_share_no_ground_are_refused(tmp_path):
    a = raster(tmp_path / "a.tif", 420_000.0, 5_400_000.0, 240, 240, 10.0, "EPSG:32633")
    b = raster(tmp_path / "b.tif", 430_000.0, 5_400_000.0, 240, 240, 10.0, "EPSG:32633")
    with pytest.raises(ArchiveError, match="the bands of scene cover no common ground"):
        blocks_of(scene(a, b), Grid())


def test_bands_that_share_some_ground_are_cut_there(tmp_path):
    a = raster(tmp_path / "a.tif", 420_000.0, 5_400_000.0, 240, 240, 10.0, "EPSG:32633")
    b = raster(tmp_path / "b.tif", 421_200.0, 5_400_000.0, 240, 240, 10.0, "EPSG:32633")
    assert {(p.cell.xmin, p.cell.ymax) for p in cut(scene(a, b))} == {(421_200, 5_400_000), (421_200, 5_398_800)}


@pytest.mark.parametrize(
    ("left", "top", "pixel", "crs", "says"),
    [
        (13.9, 48.7, 0.0001, "EPSG:32633", r"pixels of 0\.0001 m in EPSG:32633"),
        (420_000.0, 5_400_000.0, 10.0, "EPSG:4326", r"pixels of 1\.11e\+06 m in EPSG:4326"),
        (420_000.0, 5_400_000.0, 0.0001, "EPSG:4326", "lies nowhere on Earth"),
        (5_000_000.0, 5_400_000.0, 10.0, "EPSG:32633", "lies far outside the zone EPSG:32633|nowhere on Earth"),
        (2_400_000.0, 5_400_000.0, 10.0, "EPSG:32633", "lies far outside the zone EPSG:32633"),
        (1e12, 1e12, 10.0, "EPSG:32633", "coordinate reference system cannot be used|nowhere on Earth"),
        (420_000.0, -5_400_000.0, 10.0, "EPSG:32601", "its metadata say EPSG:32633"),
    ],
)
def test_a_wrong_reference_system_is_refused_by_name(tmp_path, left, top, pixel, crs, says):
    path = raster(tmp_path / "a.tif", left, top, 100, 100, pixel, crs)
    with pytest.raises(ArchiveError, match=says) as error:
        blocks_of(scene(path, epsg=32633 if crs == "EPSG:32601" else None), Grid())
    assert "a.tif" in str(error.value)


whole = st.integers(-200_000, 200_000)


@settings(max_examples=60, deadline=None)
@given(whole, whole, st.integers(1, 3_000), st.integers(1, 3_000), st.integers(20, 120), st.data())
def test_overlapping_cells_cover_every_place_and_none_lies_outside(left, bottom, width, height, stride, data):
    grid = Grid(patch_pixels=120, stride_pixels=stride)
    bounds = (float(left), float(bottom), float(left + width), float(bottom + height))
    rows = grid.cells_within(32633, bounds)
    cells = [cell for row in rows for cell in row]
    assert len({(cell.xmin, cell.ymin) for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.xmin % grid.stride_m == cell.ymin % grid.stride_m == 0
        assert (cell.xmax - cell.xmin, cell.ymax - cell.ymin) == (grid.side_m, grid.side_m)
        assert cell.xmin < bounds[2]
        assert cell.xmax > bounds[0]
        assert cell.ymin < bounds[3]
        assert cell.ymax > bounds[1]
    x = data.draw(st.floats(bounds[0], bounds[2], exclude_max=True))
    y = data.draw(st.floats(bounds[1], bounds[3], exclude_max=True))
    # All cells of the grid that hold the place are there, not just one.
    across = sum(c * grid.stride_m <= x < c * grid.stride_m + grid.side_m for c in _near(x, grid))
    up = sum(r * grid.stride_m <= y < r * grid.stride_m + grid.side_m for r in _near(y, grid))
    held = [cell for cell in cells if cell.xmin <= x < cell.xmax and cell.ymin <= y < cell.ymax]
    assert len(held) == across * up >= 1


def _near(place, grid):
    last = int(place // grid.stride_m)
    return range(last - grid.patch_pixels // grid.stride_pixels - 2, last + 2)


@pytest.mark.parametrize("stride", [60, 50])
def test_cells_that_overlap_show_the_same_ground(tmp_path, stride):
    rng = np.random.default_rng(0)
    values = rng.normal(-12, 3, (360, 360)).astype("float32")
    path = raster(tmp_path / "a.tif", 420_000.0, 5_400_000.0, 360, 360, 10.0, "EPSG:32633", values)
    found = cut(scene(path), Grid(stride_pixels=stride))
    full = [patch for patch in found if patch.valid_fraction == 1]
    assert len(full) == len({patch.cell.id for patch in full}) >= (360 - 120) // stride
    for patch in full:
        column, row = round((patch.cell.xmin - 420_000) / 10), round((5_400_000 - patch.cell.ymax) / 10)
        np.testing.assert_array_equal(patch.pixels[0], values[row : row + 120, column : column + 120])
