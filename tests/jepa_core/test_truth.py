"""What comes out of the cutting, held against the simulated ground, for every reader."""

import csv
from datetime import UTC, datetime

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
from jepa_core.testing.plain_worlds import NORTHWARD, RampWorld
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

MAX_PLACE_M = 1.0
"""A tenth of a pixel."""


def optical(**given):
    return {"epsg": EPSG, "left": LEFT, "top": TOP, "size_m": SIZE, "time": NEW} | given


def s2_safe(root, world, **given):
    write_sentinel2_safe(root, world, copies=False, **optical(**given))


def s2_stac(root, world, **given):
    write_sentinel2_stac(root, world, **optical(**given))


def s1_safe(root, world, lines=420, samples=430, **given):
    longitude, latitude = (float(v[0]) for v in to_epsg([MIDDLE[0]], [MIDDLE[1]], EPSG, LONLAT))
    place = {"longitude": longitude, "latitude": latitude, "lines": lines, "samples": samples}
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
            off = 3.17
            bounds = grid.bounds if ready else (BOUNDS[0] + off, BOUNDS[1], BOUNDS[2], BOUNDS[3] - off)
            # Radar images lie askew; their rim is looked for in their own lines and samples.
            skew = np.zeros_like(valid) if sensor is SENTINEL2 else radar_rim(x, y)
            margin = 5.0 if band.resolution_m == 10 else band.resolution_m / 2 + off
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
    longitude, latitude = (float(v[0]) for v in to_epsg([MIDDLE[0]], [MIDDLE[1]], EPSG, LONLAT))
    out = np.zeros(x.shape, dtype=bool)
    for direction in ("ascending", "descending"):
        line, sample = Swath.around(longitude, latitude, direction, lines, samples).find(x, y)
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
