"""What comes out of the cutting, held against the simulated ground, for every reader."""

import csv
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio

from jepa_core.archive.discover import Archive
from jepa_core.cutting import CLOUD_CLASSES, CutConfig, valid_mask
from jepa_core.extraction import extract
from jepa_core.patch_store import read_manifest, read_patches, read_pixels, read_quarantine
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.bigearthnet import PatchPair, write_bigearthnet
from jepa_core.testing.geometry import Swath
from jepa_core.testing.place import LONLAT, PixelGrid, to_epsg
from jepa_core.testing.plain_worlds import NORTHWARD, ConstantWorld, RampWorld
from jepa_core.testing.sentinel1_safe import write_sentinel1_safe
from jepa_core.testing.sentinel2_pixels import SwathEdge
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
from jepa_core.testing.world import World

EPSG, LEFT, TOP, SIZE = 32633, 420_060.0, 5_401_140.0, 3_600.0
"""The scene; its corner is on no cell's corner."""

MIDDLE = LEFT + SIZE / 2, TOP - SIZE / 2
BOUNDS = (LEFT, TOP - SIZE, LEFT + SIZE, TOP)

# Steep enough that rounding to whole DN moves a place by 0.4 m at most, and nowhere so dark that it moves dB.
RAMP = RampWorld(LEFT - 800, TOP - SIZE - 800, extent_m=5_400.0)

OLD, NEW, RADAR = (datetime(y, m, 3, h, 1, 2, tzinfo=UTC) for y, m, h in ((2021, 6, 10), (2023, 6, 10), (2023, 6, 5)))

LON, LAT = (float(v[0]) for v in to_epsg([MIDDLE[0]], [MIDDLE[1]], EPSG, LONLAT))

MAX_PLACE_M = 1.0
"""A tenth of a pixel."""


def optical(**given):
    return {"epsg": EPSG, "left": LEFT, "top": TOP, "size_m": SIZE, "time": NEW} | given


def s2_safe(root, world, **given):
    write_sentinel2_safe(root, world, copies=False, **optical(**given))


def s2_stac(root, world, **given):
    write_sentinel2_stac(root, world, **optical(**given))


def s1_safe(root, world, lines=420, samples=430, **given):
    place = {"longitude": LON, "latitude": LAT, "lines": lines, "samples": samples}
    write_sentinel1_safe(root, world, **({"time": RADAR, "gain": 100.0} | place | given))


def s1_rtc(root, world, **given):
    write_sentinel1_rtc(root, world, **optical(time=RADAR, **given))


def bigearthnet(root, world):
    # The tile's corner puts patches on the scene's ground; they are cells of their own, off the grid.
    pairs = [PatchPair(column, row) for column in (0, 1) for row in (1, 2)]
    write_bigearthnet(root, world, pairs, left=LEFT, top=TOP, time_s2=OLD, time_s1=RADAR)


def s2_table(root, world, unit="DN", off=0.0):
    """Plain GeoTIFFs of each band's own pixel, anywhere on the ground."""
    rows = []
    for band in SENTINEL2.bands:
        grid = PixelGrid.square(EPSG, LEFT + off, TOP - off, SIZE, band.resolution_m)
        values = world.reflectance(band.name, *grid.centres(), EPSG)
        values = np.rint(values * 10_000).astype("uint16") if unit == "DN" else values.astype("float32")
        rows.append(["plain", "s2", NEW.isoformat(), band.name, geotiff(root / f"{band.name}.tif", values, grid), unit])
    table(root, rows)


def s1_table(root, world, unit="dB", off=0.0):
    rows = []
    for band in SENTINEL1.bands:
        grid = PixelGrid.square(EPSG, LEFT + off, TOP - off, SIZE, 10.0)
        power = world.sigma0(band.name, *grid.centres(), EPSG)
        values = (10 * np.log10(power) if unit == "dB" else power).astype("float32")
        rows.append(
            ["plain", "s1", RADAR.isoformat(), band.name, geotiff(root / f"{band.name}.tif", values, grid), unit]
        )
    table(root, rows)


def table(root, rows):
    with (root / "scenes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scene", "sensor", "time", "band", "file", "unit", "number", "nodata"])
        writer.writerows([*row, "", ""] for row in rows)


def geotiff(path, values, grid):
    place = {"crs": f"EPSG:{grid.epsg}", "transform": grid.transform}
    size = {"width": grid.width, "height": grid.height, "count": 1}
    with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, **size, **place) as file:
        file.write(values, 1)
    return path.name


S2_READERS = {
    "SAFE L2A 05.09": lambda root, world: s2_safe(root, world),
    "SAFE L2A 05.09 zip": lambda root, world: s2_safe(root, world, zipped=True),
    "SAFE L2A 03.01": lambda root, world: s2_safe(root, world, time=OLD, baseline="03.01"),
    "SAFE L2A 03.01 zip": lambda root, world: s2_safe(root, world, time=OLD, baseline="03.01", zipped=True),
    "SAFE L1C 05.09": lambda root, world: s2_safe(root, world, level="L1C"),
    "SAFE L1C 03.01": lambda root, world: s2_safe(root, world, level="L1C", time=OLD, baseline="03.01"),
    "earth-search 05.09": lambda root, world: s2_stac(root, world),
    "earth-search 03.01": lambda root, world: s2_stac(root, world, time=OLD, baseline="03.01"),
    "earth-search STAC 1.1": lambda root, world: s2_stac(root, world, stac_version="1.1.0"),
    "earth-search not applied": lambda root, world: s2_stac(root, world, offset_in_pixels=True),
    "planetary-computer 05.09": lambda root, world: s2_stac(root, world, dialect="planetary-computer"),
    "planetary-computer 03.01": lambda root, world: s2_stac(
        root, world, dialect="planetary-computer", time=OLD, baseline="03.01"
    ),
    "scenes.csv DN": lambda root, world: s2_table(root, world),
    "scenes.csv reflectance off the grid": lambda root, world: s2_table(root, world, "reflectance", off=3.17),
    "BigEarthNet v2": bigearthnet,
}

S1_READERS = {
    "SAFE ascending": lambda root, world: s1_safe(root, world),
    "SAFE ascending zip": lambda root, world: s1_safe(root, world, zipped=True),
    "SAFE descending": lambda root, world: s1_safe(root, world, direction="descending"),
    "SAFE old noise": lambda root, world: s1_safe(root, world, noise="old", ipf="002.72"),
    "SAFE no noise zip descending": lambda root, world: s1_safe(
        root, world, noise=None, ipf="002.36", zipped=True, direction="descending"
    ),
    "SAFE on a plateau": lambda root, world: s1_safe(root, world, height_m=3_000.0),
    "RTC linear": lambda root, world: s1_rtc(root, world),
    "RTC dB": lambda root, world: s1_rtc(root, world, decibels=True),
    "scenes.csv dB": lambda root, world: s1_table(root, world),
    "scenes.csv linear off the grid": lambda root, world: s1_table(root, world, "linear", off=3.17),
    "BigEarthNet v2": bigearthnet,
}


def cut(tmp_path, sensor, *writers, config=None):
    """A store with all that the writers put into one archive, none of it faulty."""
    root = tmp_path / "archive"
    root.mkdir(exist_ok=True)
    for write, world in writers:
        write(root, world)
    store = Store.at(tmp_path / "data")
    extract(store, Archive(root).sources(sensor), sensor, config or CutConfig())
    assert read_quarantine(store, sensor).empty
    return store


def patches(store, sensor):
    """Each patch's row, its pixels and the rasters' place."""
    rows = read_patches(store, sensor)
    for row, pixels in zip(rows.itertuples(), read_pixels(store, sensor, rows), strict=True):
        yield row, pixels, PixelGrid.square(int(row.crs[5:]), row.xmin, row.ymax, 1200.0, 10.0)


def in_rim(grid, bounds, margin):
    """Pixels whose centre is so near the raster's edge that there is nothing to interpolate towards, or beyond it."""
    x, y = grid.centres()
    left, bottom, right, top = bounds
    return (x < left + margin) | (x > right - margin) | (y < bottom + margin) | (y > top - margin)


def largest_errors(store, sensor, world, ready=False):
    """Largest error of value (DN or dB) and of place (m) by native resolution."""
    values, places, seen = {}, {}, 0
    for _, pixels, grid in patches(store, sensor):
        x, y = grid.centres()
        ground = world.ground(x, y, grid.epsg)
        valid = valid_mask(pixels, sensor)
        for i, band in enumerate(sensor.bands):
            bounds = grid.bounds if ready else BOUNDS
            # Radar images lie askew; their rim is looked for in their own lines and samples.
            skew = np.zeros_like(valid) if sensor is SENTINEL2 else radar_rim(x, y)
            # Some rasters lie 3.17 m off.
            margin = band.resolution_m / 2 + 3.17
            keep = valid & ~in_rim(grid, bounds, margin) & ~skew
            seen += keep.sum()
            got = pixels[i][keep].astype(float)
            if sensor is SENTINEL2:
                error, linear = np.abs(got - ground.reflectance(band.name)[keep] * 10_000), got / 10_000
            else:
                error = np.abs(got - 10 * np.log10(ground.sigma0(band.name)[keep]))
                linear = 10 ** (got / 10)
            where = (y if band.name in NORTHWARD else x)[keep]
            gone = np.abs(world.coordinate(band.name, linear) - where) if isinstance(world, RampWorld) else 0.0
            values[band.resolution_m] = max(values.get(band.resolution_m, 0), error.max(initial=0))
            places[band.resolution_m] = max(places.get(band.resolution_m, 0), np.max(gone, initial=0))
    # A good deal of the scene: three of its nine square kilometres.
    assert seen > 3e4 * len(sensor.bands)
    return values, places


def radar_rim(x, y, lines=420, samples=430):
    out = np.zeros(x.shape, dtype=bool)
    for direction in ("ascending", "descending"):
        line, sample = Swath.around(LON, LAT, direction, lines, samples).find(x, y)
        out |= (line < 0) | (line > lines - 1) | (sample < 0) | (sample > samples - 1)
    return out


@pytest.mark.parametrize("reader", S2_READERS)
def test_sentinel2_is_the_ground_within_one_dn_and_a_tenth_of_a_pixel(tmp_path, reader):
    store = cut(tmp_path, SENTINEL2, (S2_READERS[reader], RAMP))
    values, places = largest_errors(store, SENTINEL2, RAMP, ready=reader.startswith("BigEarthNet"))
    assert max(values.values()) <= 1.0
    assert max(places.values()) < MAX_PLACE_M
    if "off the grid" not in reader:
        # Bands of 10 m are copied: all that is left is the rounding of the product itself.
        assert values[10.0] <= 0.5 + 1e-6


@pytest.mark.parametrize("reader", S1_READERS)
def test_sentinel1_is_the_ground_within_a_hundredth_of_a_decibel_and_a_tenth_of_a_pixel(tmp_path, reader):
    store = cut(tmp_path, SENTINEL1, (S1_READERS[reader], RAMP))
    values, places = largest_errors(store, SENTINEL1, RAMP, ready=reader.startswith("BigEarthNet"))
    assert values[10.0] <= 0.01
    assert places[10.0] < MAX_PLACE_M


def test_one_cell_seen_by_both_sensors_shows_the_same_place(tmp_path):
    cut(tmp_path, SENTINEL2, (s2_safe, RAMP))
    store = cut(tmp_path, SENTINEL1, (s1_safe, RAMP))
    optic, radar = (
        {row.cell_id: (row, pixels) for row, pixels, _ in patches(store, s)} for s in (SENTINEL2, SENTINEL1)
    )
    shared = set(optic) & set(radar)
    assert len(shared) >= 9
    compared = 0
    for cell in shared:
        (a, dn), (b, decibels) = optic[cell], radar[cell]
        assert (a.crs, a.xmin, a.ymin, a.xmax, a.ymax) == (b.crs, b.xmin, b.ymin, b.xmax, b.ymax)
        x, y = PixelGrid.square(EPSG, a.xmin, a.ymax, 1200.0, 10.0).centres()
        both = valid_mask(dn, SENTINEL2) & valid_mask(decibels, SENTINEL1) & ~radar_rim(x, y)
        compared += both.sum()
        # VV and B02 rise to the east, VH and B03 to the north.
        for polarisation, band in (("VV", "B02"), ("VH", "B03")):
            there = RAMP.coordinate(polarisation, 10 ** (decibels[SENTINEL1.positions((polarisation,))[0]] / 10))
            here = RAMP.coordinate(band, dn[SENTINEL2.positions((band,))[0]] / 10_000)
            assert np.abs(there - here)[both].max(initial=0) < MAX_PLACE_M
    assert compared > 5e4


def test_a_world_of_fields_and_water_comes_back_from_both_sensors(tmp_path):
    world = World(5)
    cut(tmp_path, SENTINEL2, (s2_safe, world))
    store = cut(tmp_path, SENTINEL1, (s1_safe, world))
    assert largest_errors(store, SENTINEL2, world)[0][10.0] <= 0.5 + 1e-6
    off = []
    for _, pixels, grid in patches(store, SENTINEL1):
        x, y = grid.centres()
        keep = valid_mask(pixels, SENTINEL1) & ~radar_rim(x, y)
        truth = 10 * np.log10(np.stack([world.ground(x, y, EPSG).sigma0(p) for p in SENTINEL1.band_names]))
        off.append(np.abs(pixels - truth)[:, keep].ravel())
    # Between pixels the ground bends; on the whole it is met.
    assert np.median(np.concatenate(off)) < 0.01


def test_one_value_everywhere_stays_one_value(tmp_path):
    world = ConstantWorld()
    cut(tmp_path, SENTINEL2, (s2_safe, world))
    store = cut(tmp_path, SENTINEL1, (s1_safe, world))
    for _, pixels, _ in patches(store, SENTINEL2):
        for i, band in enumerate(SENTINEL2.band_names):
            # To the edge: bilinear interpolation of one value is that value.
            assert set(np.unique(pixels[i])) <= {0, round(world.values[band] * 10_000)}
    for _, pixels, _ in patches(store, SENTINEL1):
        np.testing.assert_allclose(pixels[0][np.isfinite(pixels[0])], -10.0, atol=0.01)
        np.testing.assert_allclose(pixels[1][np.isfinite(pixels[1])], -17.0, atol=0.01)


@pytest.mark.parametrize("reader", [s2_safe, s2_stac])
def test_the_cloud_fraction_is_the_share_of_simulated_cloud(tmp_path, reader):
    world = World(3)
    store = cut(tmp_path, SENTINEL2, (lambda root, world: reader(root, world, clouds=0.4, sky=7), world))
    classes = PixelGrid.square(EPSG, LEFT, TOP, SIZE, 20.0)
    truth = np.isin(world.scl(*classes.centres(), EPSG, clouds=0.4, sky=7), CLOUD_CLASSES)
    seen = []
    for row, pixels, _ in patches(store, SENTINEL2):
        left, top = round((row.xmin - LEFT) / 20), round((TOP - row.ymax) / 20)
        part = truth[max(top, 0) : top + 60, max(left, 0) : left + 60]
        assert row.cloud_fraction == pytest.approx(part.mean(), abs=1e-6)
        assert row.valid_fraction == pytest.approx(part.size / 3600, abs=1e-6)
        assert valid_mask(pixels, SENTINEL2).mean() == pytest.approx(row.valid_fraction)
        seen.append(row.cloud_fraction)
    assert max(seen) - min(seen) > 0.3


def test_cloudy_cells_are_left_out_where_that_is_asked_for(tmp_path):
    world = World(3)
    write = (lambda root, world: s2_safe(root, world, clouds=0.4, sky=7)), world
    every = read_patches(cut(tmp_path, SENTINEL2, write), SENTINEL2).set_index("cell_id")
    (tmp_path / "few").mkdir()
    few = cut(tmp_path / "few", SENTINEL2, write, config=CutConfig(max_cloud_fraction=0.4))
    few = read_patches(few, SENTINEL2).set_index("cell_id")
    assert set(few.index) == set(every.index[every["cloud_fraction"] <= 0.4])
    assert 0 < len(few) < len(every)


@pytest.mark.parametrize("reader", [s2_safe, s2_stac])
def test_the_swath_edge_leaves_the_share_that_all_bands_measured(tmp_path, reader):
    edge = SwathEdge(start_m=1_900.0, slope=0.25)
    store = cut(tmp_path, SENTINEL2, (lambda root, world: reader(root, world, edge=edge), RAMP))
    rows = {row.cell_id: (row, grid) for row, _, grid in patches(store, SENTINEL2)}
    assert any(0.1 < row.valid_fraction < 0.9 for row, _ in rows.values())
    for row, grid in rows.values():
        x, y = grid.centres()
        # The band whose edge lies farthest east decides; coarse pixels round it by half of one.
        measured = edge.measured("B04", x - LEFT, TOP - y) & ~in_rim(grid, BOUNDS, 0.0)
        assert row.valid_fraction == pytest.approx(measured.mean(), abs=0.01)
    # What is valid is the ground, also beside the edge: nothing of the missing part bleeds in.
    for _, pixels, grid in patches(store, SENTINEL2):
        x, y = grid.centres()
        keep = valid_mask(pixels, SENTINEL2) & ~in_rim(grid, BOUNDS, 35.0)
        ground = RAMP.ground(x, y, EPSG)
        for i, band in enumerate(SENTINEL2.bands):
            if keep.any():
                error = np.abs(pixels[i][keep] - ground.reflectance(band.name)[keep] * 10_000).max()
                # Beside the edge a coarse band has neighbours on one side only.
                assert error <= 1.0 + (0 if band.resolution_m == 10 else band.resolution_m / 2 * 7_000 / 5_400)


@pytest.mark.parametrize("noise", ["range-azimuth", "old"])
def test_the_borders_of_a_radar_image_are_missing_and_its_inside_is_not(tmp_path, noise):
    borders = {"zero_border": 30, "fringe": 40, "noise": noise, "gain": 1.0, "ipf": "002.60"}
    store = cut(tmp_path, SENTINEL1, (lambda root, world: s1_safe(root, world, **borders), ConstantWorld()))
    swath = Swath.around(LON, LAT, "ascending", 420, 430)
    for row, pixels, grid in patches(store, SENTINEL1):
        line, sample = swath.find(*grid.centres())
        inside = (line > 1) & (line < 418) & (sample > 71) & (sample < 358)
        outside = (line < -1) | (line > 420) | (sample < 69) | (sample > 360)
        valid = valid_mask(pixels, SENTINEL1)
        assert not valid[outside].any()
        # Runs that look like a fringe are longer than the fringe by a pixel or two at most.
        assert valid[inside].mean() > 0.99 if inside.any() else True
        assert row.valid_fraction == pytest.approx(valid.mean())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"baseline": "05.09"}, ("L2A", "05.09", -1000.0, "descending", 79)),
        ({"baseline": "03.01", "time": OLD, "relative_orbit": 22}, ("L2A", "03.01", 0.0, "descending", 22)),
        ({"level": "L1C", "baseline": "04.00"}, ("L1C", "04.00", -1000.0, "descending", 79)),
    ],
)
def test_the_manifest_says_what_a_sentinel2_product_is_and_what_was_added_to_it(tmp_path, given, said):
    store = cut(tmp_path, SENTINEL2, (lambda root, world: s2_safe(root, world, **given), ConstantWorld()))
    (row,) = read_manifest(store, SENTINEL2).itertuples()
    assert (row.level, row.baseline, row.offset_dn, row.orbit_pass, row.relative_orbit) == said
    # The tile was seen some minutes into the datatake.
    assert row.time.to_pydatetime() == given.get("time", NEW) + timedelta(seconds=446.222)


@pytest.mark.parametrize(
    ("dialect", "given", "offset"),
    [
        ("earth-search", {}, 0.0),
        ("earth-search", {"offset_in_pixels": True}, -1000.0),
        ("planetary-computer", {}, -1000.0),
        ("planetary-computer", {"baseline": "03.01", "time": OLD}, 0.0),
    ],
)
def test_the_manifest_says_what_was_added_to_a_catalogue_s_item(tmp_path, dialect, given, offset):
    write = lambda root, world: s2_stac(root, world, dialect=dialect, **given)  # noqa: E731
    store = cut(tmp_path, SENTINEL2, (write, ConstantWorld()))
    (row,) = read_manifest(store, SENTINEL2).itertuples()
    assert (row.level, row.baseline, row.offset_dn) == ("L2A", given.get("baseline", "05.09"), offset)


@pytest.mark.parametrize("direction", ["ascending", "descending"])
def test_the_manifest_says_what_a_sentinel1_product_is(tmp_path, direction):
    write = lambda root, world: s1_safe(root, world, direction=direction, relative_orbit=95)  # noqa: E731
    store = cut(tmp_path, SENTINEL1, (write, ConstantWorld()))
    (row,) = read_manifest(store, SENTINEL1).itertuples()
    assert (row.level, row.baseline, row.offset_dn) == ("GRD", "003.31", 0.0)
    assert (row.orbit_pass, row.relative_orbit) == (direction, 95)
    assert row.time.to_pydatetime() == RADAR
